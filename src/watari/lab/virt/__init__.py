"""What runs inside the lab's own Python environment, beside Nova and Neutron; it imports nothing of Watari's."""
