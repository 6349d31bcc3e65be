"""What an operator does who knows that the processes were killed from outside: readmits who is blamed for it.

A process that is killed while it activates an actor, or before it has noted that it no longer does, leaves
that actor a suspect, whoever killed it.  Here all are killed from outside, and often at just that moment.
"""

from __future__ import annotations

from actorflow import Runtime
from actorflow._runtime.residency import SUSPECT_TIMES
from actorflow._runtime.tables import address_of

__all__ = ["readmit_innocents"]


async def readmit_innocents(runtime: Runtime) -> int:
    """Readmit the suspects that are set aside; gives how many deaths are blamed on somebody."""
    suspects = dict(runtime._host.population.residency._suspects)
    for path, times in suspects.items():
        if times >= SUSPECT_TIMES:
            entity, key = address_of(path)
            await runtime.actor(runtime._host.specs[entity].cls, key).readmit()
    return sum(suspects.values())
