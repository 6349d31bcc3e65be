"""The core: one pure step that decides everything about an actor.  Knows no clock, disk, thread or loop."""
