"""The history of a cloud: the loads, places and inventory of the last weeks, kept small, and played again."""
