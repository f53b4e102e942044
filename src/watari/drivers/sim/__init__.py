"""The simulated cloud: virtual time, deterministic by seed, faults on request."""
