"""What is left when the process dies, the disk fails, or the power does?  Real processes, real files."""
