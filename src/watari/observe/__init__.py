"""Drivers in, snapshots out."""
