"""A demonstration: carts and accounts under load, in a process that is killed and comes back."""
