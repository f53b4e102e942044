"""Pure planners, one module or package per job."""
