"""Worlds of the house's own entities, and of some made to be difficult."""
