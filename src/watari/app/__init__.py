"""Wiring: which driver for which port, and the use cases that every face calls."""
