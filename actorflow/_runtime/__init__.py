"""The runtime: the host of production, around the core's step.  It does, and decides nothing."""
