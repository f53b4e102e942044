"""A real OpenStack on this machine: `watari lab up` for trying things out, and for tests that need the real thing."""
