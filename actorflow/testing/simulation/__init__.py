"""What a ``World`` is made of: simulated time, disk, callers and activities, and what must be true of all."""
