"""Hosts that find themselves in a forked child: there they have no writer, and the journal is not theirs."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["remember"]


class Forkable(Protocol):
    """What is told when it was forked."""

    def forked(self) -> None:
        """Know that it is in a child of the process that opened it."""
        ...


_open: WeakSet[Forkable] = WeakSet()


def remember(host: Forkable) -> None:
    """Have a host told in every child."""
    _open.add(host)


def _tell() -> None:
    for host in list(_open):
        host.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell)
