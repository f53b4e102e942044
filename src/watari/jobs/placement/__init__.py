"""What all jobs that move servers share: the cloud as arrays, its rules for destinations, its budgets."""
