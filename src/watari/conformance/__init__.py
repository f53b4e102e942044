"""Tests that every implementation of a port has to pass, for packages that bring one. Needs pytest."""
