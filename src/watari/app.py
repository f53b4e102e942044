"""Wiring: which driver for which port."""
