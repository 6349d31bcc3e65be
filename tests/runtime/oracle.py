"""What has to be true of a journal, whatever happened: read from its bytes, not by the code on trial.

What can be read of any journal is the world's to check (``actorflow.testing.simulation.oracle``).  Here is
what a ``Drive`` knows besides: what was sent, and the actors in memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from actorflow._core import facts
from actorflow._core.actor import Actor
from actorflow._core.facts import Address, Record
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.replay import replay
from actorflow._runtime.population import Population
from actorflow.testing.simulation.oracle import (
    histories,
    inside,
    letters,
    order,
    tabled,
    tails,
    unpack_record,
)

from .drive import Drive, Ticket

__all__ = ["check", "histories", "letters", "tabled"]

MESSAGES = (facts.SIGNAL, facts.UPDATE)


def check(drive: Drive, *, live: bool = True) -> None:
    """All that was acknowledged is there once and in order, and nothing else; live is what replay gives."""
    raw = histories(drive.journal.history)
    records = {address: [unpack_record(one) for one in ones] for address, ones in raw.items()}
    order(records)
    _see_outside(records, drive.sent)
    inside(records, letters(drive.journal))
    log = tails(drive.journal)
    for address, ones in raw.items():
        first, kept = tabled(drive.journal, address, log)
        assert kept == ones[first:], f"{address}: tables and log do not say what was written"
        if live:
            _see_live(drive.population, address, ones, drive.now)


def _see_outside(records: dict[Address, list[Record]], sent: Iterable[Ticket]) -> None:
    """What callers sent: what was acknowledged once, what was refused never, in the order of sending."""
    by_target: dict[Address, list[Ticket]] = defaultdict(list)
    for ticket in sent:
        if ticket.input.kind in MESSAGES:
            by_target[ticket.address].append(ticket)
    for address in by_target.keys() | records.keys():
        tickets = by_target.get(address, [])
        inputs = [
            one.input
            for one in records.get(address, [])
            if one.input is not None and one.input.kind in MESSAGES and one.input.sender is None
        ]
        counts = Counter(inputs)
        known = {ticket.input: place for place, ticket in reversed(list(enumerate(tickets)))}
        for input_ in inputs:
            assert input_ in known, f"{address} has {input_}, which nobody sent"
            assert counts[input_] == 1, f"{address} has {counts[input_]} times {input_}"
        places = [known[input_] for input_ in inputs if input_.id is None]
        assert places == sorted(places), f"{address} does not have its messages in the order of sending"
        for ticket in tickets:
            if ticket.told and ticket.fate == "acknowledge":
                assert counts[ticket.input] == 1, f"{address} has lost {ticket.input}, which was acknowledged"
            refused = ticket.refused is not None or ticket.fate == "answer"
            if refused and ticket.input.id is None:
                assert counts[ticket.input] == 0, f"{address} has {ticket.input}, which was refused"


def _see_live(population: Population, address: Address, ones: list[bytes], now: int) -> None:
    resident = population.resident(address, now)
    spec = population.specs[address[0]]
    replayed = Actor(spec, address[1], Ids.within(spec.limits.id_window, spec.limits.id_bytes))
    replay(replayed, ones)
    found = differences(image(resident.actor), image(replayed))
    assert found == [], f"{address} is not what its records say:\n" + "\n".join(found)
