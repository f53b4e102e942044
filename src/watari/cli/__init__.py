"""The command line: commands for `watari` and, the same classes, for `openstack watari`."""
