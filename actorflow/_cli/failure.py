"""That a command could not do what it was told to, in words for whoever typed it."""

from __future__ import annotations

__all__ = ["NotDone"]


class NotDone(Exception):
    """Nothing was found out: the text says why, and what to do."""
