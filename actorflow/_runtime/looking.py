"""Looking at actors: lists, histories, the past; all of it durable before it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from actorflow._core.facts import Address
from actorflow._core.phases import BROKEN, PHASES
from actorflow.errors import DecodeError, UsageError

from .host import WAKES_AT_ONCE, Host
from .past import Past, past
from .resident import VACANT_HEAD
from .rows import unpack_head
from .tables import HEADS, STATUSES, behind, name_of, path_of, status_key
from .views import Description, Entry, Parked, Summary, describe, entry, parked, summary, summary_of

__all__ = ["description", "history", "listing", "parked_messages", "past_of"]

_log = logging.getLogger("actorflow.runtime")


async def description(host: Host, address: Address) -> Description:
    resident = host.resident(address)
    found = describe(resident, host.population.errands.of(address))
    await host.durable(resident.frame, "describe()")
    return found


async def parked_messages(host: Host, address: Address) -> list[Parked]:
    resident = host.resident(address)
    found = parked(resident.actor)
    await host.durable(resident.frame, "parked()")
    return found


async def history(host: Host, address: Address, at_most: int) -> list[Entry]:
    """The newest entries that are kept, in order."""
    resident = await host.settled(address, "history()")
    shelf, path = host.population.shelf, resident.path
    head = resident.head
    records = shelf.records(path, shelf.kept_from(path, head), head.records)
    if resident.tail is not None:
        records += resident.tail.records
    unpack = resident.actor.spec.codec.unpack_record
    found = [entry(resident.actor, unpack(record)) for record in records[-at_most:]]
    await host.durable(resident.frame, "history()")
    return found


async def past_of(host: Host, address: Address, seq: int) -> Past[Any]:
    """The actor as it was after the turn of this message."""
    resident = await host.settled(address, "at()")
    try:
        found = past(host.population.shelf, host.spec(address[0]), address, resident.tail, seq)
    except UsageError:
        await host.durable(resident.frame, "at()")  # it tells how far the actor has come
        raise
    await host.durable(resident.frame, "at()")
    return found


async def listing(
    host: Host,
    name: str,
    *,
    status: str | None,
    where: Callable[[Summary], bool] | None,
    after: str,
    at_most: int,
) -> list[Summary]:
    """Actors in the order of their keys: rows of the tables, with what is only in the log put over them."""
    host.see_open("list()")
    population, now = host.population, host.clock()
    while not population.hear(now, WAKES_AT_ONCE):
        pass
    prefix = f"{name}\0".encode()
    changed: dict[bytes, Summary] = {}
    for path in [*population.checkpoint.tails, *population.checkpoint.tabling]:
        if path.startswith(prefix):
            resident = population.residency.found(path, now)
            if resident is not None and resident.actor.seq:
                changed[path] = summary_of(resident)
    found: list[Summary] = []
    place = path_of((name, after)) if after else prefix
    while len(found) < at_most:
        paths = _paths(host, name, status, place, at_most)
        last = paths[-1] if len(paths) == at_most else None
        merged = {path: one for path in paths if (one := _kept(host, path)) is not None}
        merged |= {
            path: one for path, one in changed.items() if path > place and (last is None or path <= last)
        }
        for path in sorted(merged):
            one = merged[path]
            if one.key > after and status in (None, one.status) and (where is None or where(one)):
                found.append(one)
        if last is None:
            break
        place = last
    await host.nothing_pending("list()")
    return found[:at_most]


def _paths(host: Host, name: str, status: str | None, place: bytes, at_most: int) -> list[bytes]:
    """The next paths behind a place that the tables have, of actors of this status."""
    prefix = f"{name}\0".encode()
    if status is None:
        rows = host.population.reading.scan(HEADS, place + b"\0", behind(prefix), at_most=at_most)
        return [key for key, _ in rows]
    front = f"{name}\0{status}\0".encode()
    start = status_key(status, place) + b"\0" if place != prefix else front
    rows = host.population.reading.scan(STATUSES, start, behind(front), at_most=at_most)
    return [prefix + key[len(front) :] + b"\0" for key, _ in rows]


def _kept(host: Host, path: bytes) -> Summary | None:
    data = host.population.reading.read(HEADS, path)
    if data is None:
        return None
    try:
        return summary(path, unpack_head(data, f"head of {name_of(path)}"))
    except DecodeError as error:
        # The others are to be seen all the same.
        _log.error("%s", error)
        return summary(path, VACANT_HEAD._replace(status=PHASES[BROKEN]))
