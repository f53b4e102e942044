"""The command line, on cliff and osc-lib."""
