"""An actor for people: what it is doing and waits for, what is parked, what has happened.  Only reads."""

# Long because the views of an actor are read side by side: what is shown, and what it is made of.

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from attrs import evolve, frozen

from actorflow._authoring.identity import moment
from actorflow._codec import unpack
from actorflow._codec.failures import failure
from actorflow._core import facts
from actorflow._core.actor import Actor
from actorflow._core.facts import TIMED_OUT, Ask, Await, Effect, Record, Ref, Schedule, Sleep, StartChild
from actorflow._core.outstanding import Armed, Waking, crowded, outstanding, stuck
from actorflow._core.replay import show

from .errand import OUTSIDE, PAUSES, Errand, how_of
from .resident import Resident
from .rows import Head
from .shelf import status_of
from .tables import address_of

__all__ = [
    "Debt",
    "Description",
    "Entry",
    "OpenHandler",
    "Parked",
    "Sent",
    "Summary",
    "Waiting",
    "debts",
    "describe",
    "entry",
    "error_text",
    "parked",
    "sent",
    "summary",
    "summary_of",
    "waiting",
]


@frozen
class Waiting:
    """Something that the actor waits for and that a test can answer."""

    ref: Ref
    kind: str
    """``activity``, ``sleep``, ``callback``, ``update``, ``child``, ``timer`` or ``alarm``."""
    name: str
    """The activity, the handler or the child's key."""
    arguments: tuple[Any, ...] = ()
    """As plain data."""
    due: datetime | None = None
    """When it ends by itself."""
    withdrawn: bool = False
    """It was cancelled, and its end is awaited."""
    attempt: int = 0
    """Of an activity in a runtime: how many attempts have begun."""
    phase: str = ""
    """It ``runs``, ``waits`` for its turn, ``pauses`` after a failure, or its end is ``outside``."""
    failure: str = ""
    """Why the last attempt failed."""

    def __str__(self) -> str:
        parts = [f"{self.kind} {self.name}"]
        if self.phase:
            parts.append(f"{self.phase}, attempt {self.attempt}" if self.attempt else self.phase)
        if self.due:
            parts.append(f"due {self.due:%Y-%m-%d %H:%M:%S}")
        if self.failure:
            parts.append(f"last failure {self.failure}")
        return ", ".join(parts)


@frozen
class Sent:
    """A signal to another actor."""

    entity: str
    key: str
    handler: str
    arguments: tuple[Any, ...]
    id: str | None = None


@frozen
class Parked:
    """A message that failed and waits for an operator."""

    seq: int
    handler: str
    arguments: tuple[Any, ...]
    error: str
    first: int
    """The number under which it first came."""


@frozen
class Debt:
    """What a handler's sagas could not undo."""

    seq: int
    """The handler's, and by this number it is discharged."""
    handler: str
    at: datetime
    why: str
    """It had to be undone."""
    undone: tuple[str, ...]
    not_undone: tuple[str, ...]
    undone_more: int = 0
    not_undone_more: int = 0
    """How many more there were, of which nothing is kept: what is kept of an error is bounded."""

    def __str__(self) -> str:
        more = f"; and {self.not_undone_more} more" if self.not_undone_more else ""
        return f"{self.seq} {self.handler}: {'; '.join(self.not_undone)}{more}"


@frozen
class Entry:
    """One line of history."""

    seq: int
    at: datetime
    what: str
    """The handler, or the kind of what happened."""
    outcome: str
    effects: tuple[str, ...]
    error: str = ""

    def __str__(self) -> str:
        parts = [f"{self.seq:>4} {self.at:%Y-%m-%d %H:%M:%S} {self.what} {self.outcome}"]
        parts += [f"       -> {effect}" for effect in self.effects]
        if self.error:
            parts.append(f"       !! {self.error}")
        return "\n".join(parts)


@frozen
class OpenHandler:
    """A handler that has started and not ended."""

    seq: int
    name: str
    since: datetime
    holds: bool
    """The messages behind it wait until it has ended."""


@frozen
class Summary:
    """What a list says of an actor."""

    entity: str
    key: str
    status: str
    """``running``, ``closing``, or ``completed``, ``failed``, ``cancelled``, ``terminated``."""
    life: int
    run: int
    seq: int
    born: datetime
    updated: datetime
    parked_count: int
    """How many messages are parked."""
    debt_count: int
    """How many handlers left something that is to be undone by somebody."""


@frozen
class Description(Summary):
    """All that an operator may want to know of an actor."""

    mailbox: tuple[str, ...]
    """The handlers of the messages that are admitted and wait."""
    open: tuple[OpenHandler, ...]
    waiting: tuple[Waiting, ...]
    """What it waits for, timers included, the oldest first."""
    parked: tuple[Parked, ...]
    debts: tuple[Debt, ...]
    """What sagas could not undo, until somebody calls ``discharge``."""
    last_failure: str
    fault: str
    """Why it does not go on of itself, although it takes messages."""
    stuck: str
    """Why its mailbox can never move."""
    crowded: str
    """Why it will soon take no more messages: an open handler keeps its run from closing."""
    run_records: int
    run_bytes: int
    tail_records: int
    """How many records activation would replay."""
    tail_bytes: int

    @property
    def holder(self) -> str:
        """The handler that holds the mailbox, if one does."""
        return next((one.name for one in self.open if one.holds), "")

    def __str__(self) -> str:
        place = f", life {self.life}, run {self.run}, seq {self.seq}, since {self.born:%Y-%m-%d %H:%M:%S}"
        lines = [f"{self.entity} {self.key!r}: {self.status}{place if self.life else ''}"]
        lines += [
            f"  open      {one.name}, since {one.since:%Y-%m-%d %H:%M:%S}{', holds the mailbox' * one.holds}"
            for one in self.open
        ]
        lines += [f"  waits for {one}" for one in self.waiting]
        if self.mailbox:
            lines.append(f"  mailbox   {len(self.mailbox)}: {', '.join(self.mailbox[:10])}")
        lines += [f"  parked    {one.seq} {one.handler}: {one.error}" for one in self.parked]
        lines += [f"  owes      {one}" for one in self.debts]
        named = {
            "failure": self.last_failure,
            "fault": self.fault,
            "stuck": self.stuck,
            "crowded": self.crowded,
        }
        lines += [f"  {name:<9} {text}" for name, text in named.items() if text]
        lines.append(f"  replay    {self.tail_records} records, {self.tail_bytes} bytes")
        return "\n".join(lines)


def describe(resident: Resident, errands: Mapping[Ref, Errand]) -> Description:
    """A picture of an actor as it is in memory, and of what it has asked of activities."""
    actor = resident.actor
    failure_ = actor.last_failure
    report = stuck(actor)
    warning = crowded(actor)
    tail = resident.tail
    records = [] if tail is None else tail.records
    kept = resident.head.snapshots
    return Description(
        *_outline(actor),
        tuple(input_.name or facts.KINDS[input_.kind] for _, input_ in actor.mailbox),
        tuple(
            OpenHandler(one.seq, one.handler.name, moment(one.since), one is actor.holder)
            for one in actor.open.values()
        ),
        tuple(_with_errand(one, errands.get(one.ref)) for one in waiting(actor)),
        tuple(parked(actor)),
        tuple(debts(actor)),
        "" if failure_ is None else f"{failure_[1]} (seq {failure_[0]}): {error_text(failure_[2])}",
        "" if resident.fault is None else str(resident.fault),
        "" if report is None else str(report),
        "" if warning is None else warning.fact(),
        actor.run_records,
        actor.run_bytes,
        resident.head.records + len(records) - (kept[-1][0] if kept else 0),
        resident.head.tail_bytes + sum(map(len, records)),
    )


def summary_of(resident: Resident) -> Summary:
    """A line of a list, of an actor in memory."""
    return Summary(*_outline(resident.actor))


def _outline(actor: Actor) -> tuple[str, str, str, int, int, int, datetime, datetime, int, int]:
    """What a list and a description say alike."""
    return (
        *actor.address,
        status_of(actor),
        actor.life,
        actor.run,
        actor.seq,
        moment(actor.born),
        moment(actor.now),
        len(actor.parked),
        len(actor.debts),
    )


def summary(path: bytes, head: Head) -> Summary:
    """A line of a list, of an actor that is asleep."""
    return Summary(
        *address_of(path),
        head.status,
        head.life,
        head.run,
        head.seq,
        moment(head.born),
        moment(head.updated),
        head.parked,
        head.debts,
    )


def _plain(body: bytes) -> tuple[Any, ...]:
    plain: object = unpack(body) if body else []
    return tuple(cast("list[object]", plain)) if isinstance(plain, list) else (plain,)


def waiting(actor: Actor) -> list[Waiting]:
    """Everything unresolved, the oldest first."""
    found: list[Waiting] = []
    for ref, what, withdrawn in outstanding(actor):
        match what:
            case Schedule(name=name, body=body):
                view = Waiting(ref, "activity", name, _plain(body), None, withdrawn)
            case Sleep(due=due):
                view = Waiting(ref, "sleep", "", (), moment(due), withdrawn)
            case Await(due=due, type=type_):
                view = Waiting(ref, "callback", type_, (), None if due is None else moment(due), withdrawn)
            case Ask(entity=entity, key=key, name=name, body=body, due=due):
                view = Waiting(
                    ref, "update", f"{entity} {key!r}.{name}", _plain(body), moment(due), withdrawn
                )
            case Armed(name=name, body=body, due=due):
                view = Waiting(ref, "timer", name, _plain(body), moment(due))
            case Waking(due=due):
                view = Waiting(ref, "alarm", "closing", (), moment(due))
            case StartChild(entity=entity, key=key):
                view = Waiting(ref, "child", f"{entity} {key!r}")
            case (entity, key):
                view = Waiting(ref, "child", f"{entity} {key!r}")
        found.append(view)
    return found


def _with_errand(view: Waiting, errand: Errand | None) -> Waiting:
    if errand is None:
        return view
    return evolve(
        view,
        attempt=errand.attempt,
        phase=errand.phase,
        due=moment(errand.due) if errand.phase in (PAUSES, OUTSIDE) else None,
        failure=_last_failure(errand.failure) if errand.failure else "",
    )


def _last_failure(body: bytes) -> str:
    return f"TimeoutError: {unpack(body)}" if how_of(body) == TIMED_OUT else error_text(body)


def sent(effects: list[Effect]) -> list[Sent]:
    """The signals among these effects."""
    return [
        Sent(effect.entity, effect.key, effect.name, _plain(effect.body), effect.id)
        for effect in effects
        if isinstance(effect, facts.Send)
    ]


def parked(actor: Actor) -> list[Parked]:
    """What an operator would see."""
    return [
        Parked(seq, one.input.name, _plain(one.input.body), error_text(one.error), one.first)
        for seq, one in actor.parked.items()
    ]


def debts(actor: Actor) -> list[Debt]:
    """What somebody has to see to."""
    found: list[Debt] = []
    for seq, debt in actor.debts.items():
        details: Any = failure(debt.failure).details
        known = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
        more_undone, more_not_undone = known.get("left out", (0, 0))
        found.append(
            Debt(
                seq,
                debt.handler,
                moment(debt.now),
                str(known.get("why", "")),
                tuple(known.get("undone", ())),
                tuple(known.get("not undone", (error_text(debt.failure),))),
                more_undone,
                more_not_undone,
            )
        )
    return found


def entry(actor: Actor, record: Record) -> Entry:
    """One record as a line of history."""
    input_ = record.input
    what = "turn" if input_ is None else facts.KINDS[input_.kind]
    if input_ is not None and input_.name:
        what = f"{what} {input_.name}"
    error = (record.extra or {}).get(facts.ERROR, b"")
    if input_ is not None and input_.kind == facts.RESOLVE and input_.ref is not None:
        what = f"{what} of {input_.ref[0]}.{input_.ref[1]}"
        if input_.name == facts.FAILED:
            error = input_.body
    return Entry(
        record.seq,
        moment(record.now),
        what,
        facts.OUTCOMES[record.outcome],
        tuple(show(actor, effect) for effect in record.effects),
        error_text(error) if error else "",
    )


def error_text(body: bytes) -> str:
    """An error as a line."""
    _, type_, message, _ = failure(body)
    return f"{type_}: {message}"
