"""Runs that survive their process: records in a database, one queue, leases, and takeover by another worker."""
