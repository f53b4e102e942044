"""The planners that Watari is measured against, each in an environment of its own under `.bench/`."""
