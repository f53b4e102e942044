"""A plan is data: what to do, in which order, why, what was refused, and what it should bring."""
