"""Every error a person can meet, in three families: yours, the outcome's, ours.

``UsageError`` is raised at the line that made the mistake.  ``OutcomeError`` says how something ended.
``FaultError`` says that the house itself is in disorder: a journal that does not replay, damaged bytes.

The text of an error is made from its public fields: which actor, what happened, what was allowed, and
after ``hint:`` what to do.  Knows nothing of the rest of actorflow, so everything may import it.
"""

# Long because errors are read side by side: which there are, and what each says.

from __future__ import annotations

import re
from datetime import timedelta
from typing import ClassVar

from attrs import define

__all__ = [
    "ActivityFailed",
    "ActorCompleted",
    "ActorflowError",
    "AlreadyStarted",
    "BadKey",
    "BadToken",
    "CallbackFailed",
    "Cancelled",
    "CheckFailed",
    "ChildFailed",
    "CompensationFailed",
    "Deadlock",
    "DecodeError",
    "DefinitionError",
    "Divergence",
    "FaultError",
    "ForeignAwait",
    "HandlerFailed",
    "HistoryFull",
    "IdReused",
    "Interrupted",
    "InvariantBroken",
    "JournalFull",
    "LimitExceeded",
    "NondeterminismError",
    "NondeterminismWarning",
    "NotAccepted",
    "NotAwaited",
    "NotInHandler",
    "NotStarted",
    "OutcomeError",
    "Refused",
    "Runaway",
    "Standstill",
    "Stuck",
    "Suspect",
    "TokenSpent",
    "TryLater",
    "TwinDiffers",
    "Unavailable",
    "Unknown",
    "UnknownEntity",
    "UnknownHandler",
    "Unstorable",
    "UsageError",
    "WriteInReading",
    "WrongAnswer",
    "WrongArgument",
]


class ActorflowError(Exception):
    """The base of every error of actorflow that is an ``Exception``."""

    advice: ClassVar[str] = ""

    def fact(self) -> str:
        """What happened, in one sentence made from the fields."""
        return ", ".join(str(part) for part in self.args)

    def remedy(self) -> str:
        """What to do about it; empty where there is nothing to say."""
        return self.advice

    def __str__(self) -> str:
        """Give the fact, and the remedy on a line of its own."""
        remedy = self.remedy()
        return f"{self.fact()}\n  hint: {remedy}" if remedy else self.fact()


class UsageError(ActorflowError):
    """The caller's or the author's mistake, raised where it was made; nothing happened."""


class OutcomeError(ActorflowError):
    """How something ended; part of the recorded course of an actor."""


class FaultError(ActorflowError):
    """Not the message's fault: the actor is set aside with this report, the others go on."""


# ---- usage -------------------------------------------------------------------------------------------


@define(slots=False, eq=False, str=False)
class DefinitionError(UsageError):
    """An entity, handler or activity is declared in a way that cannot work."""

    where: str
    what: str
    hint: str = ""

    def fact(self) -> str:
        return f"{self.where}: {self.what}"

    def remedy(self) -> str:
        return self.hint


@define(slots=False, eq=False, str=False)
class WrongArgument(UsageError):
    """A value does not have the declared type, or a call does not fit the handler's parameters."""

    where: str
    what: str
    hint: str = ""

    def fact(self) -> str:
        return f"{self.where}: {self.what}"

    def remedy(self) -> str:
        return self.hint


@define(slots=False, eq=False, str=False)
class BadKey(UsageError):
    """A key or id that no actor can have."""

    key: object
    what: str

    def fact(self) -> str:
        return f"{self.key!r} cannot be a key or an id: {self.what}"

    def remedy(self) -> str:
        return "use 1 to 200 bytes of UTF-8 in normal form (NFC), without control characters or outer spaces"


@define(slots=False, eq=False, str=False)
class UnknownHandler(UsageError):
    """The entity has no handler of that name and kind."""

    entity: str
    name: str
    known: tuple[str, ...] = ()

    def fact(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"entity {self.entity!r} has no handler {self.name!r}; it has: {known}"

    def remedy(self) -> str:
        return f"if the handler was renamed, declare it with aliases=[{self.name!r}]"


@define(slots=False, eq=False, str=False)
class UnknownEntity(UsageError):
    """The runtime was opened without the entity of this actor."""

    entity: str
    key: str
    known: tuple[str, ...] = ()

    def fact(self) -> str:
        known = ", ".join(self.known) or "none"
        return f"{self.entity} {self.key!r}: the runtime has no entity {self.entity!r}; it has: {known}"

    def remedy(self) -> str:
        return "name its class in Runtime(journal, entities=[...])"


@define(slots=False, eq=False, str=False)
class NotStarted(UsageError):
    """The actor has no life yet and cannot begin with this call."""

    actor: str
    what: str

    def fact(self) -> str:
        return f"{self.actor} has not started: {self.what}"

    def remedy(self) -> str:
        return "start it with its initial state, or send it a signal or an update first"


@define(slots=False, eq=False, str=False)
class BadToken(UsageError):
    """What was given as the token of a callback, or of an activity, is none of this actor's life."""

    token: str
    what: str

    def fact(self) -> str:
        return f"token {self.token[:40]!r} opens nothing: {self.what}"

    def remedy(self) -> str:
        return "pass on .token unchanged; that of an earlier life, or of another journal, is of no use"


@define(slots=False, eq=False, str=False)
class TokenSpent(UsageError):
    """The token was good once: by now there is another answer, or nobody waits for one."""

    actor: str
    what: str

    def fact(self) -> str:
        return f"{self.actor} does not wait for this answer any more: {self.what}"

    def remedy(self) -> str:
        return "the same answer again is no error; of what became of it, history() tells"


@define(slots=False, eq=False, str=False)
class AlreadyStarted(UsageError):
    """A start met an actor that is alive, or one that has ended and may not begin again."""

    actor: str
    status: str

    def fact(self) -> str:
        return f"{self.actor} is {self.status} already"

    def remedy(self) -> str:
        return "choose another key, or say if_running='use' / if_completed='new'"


@define(slots=False, eq=False, str=False)
class ActorCompleted(UsageError):
    """The life of the actor has ended or is ending; the message was not accepted."""

    actor: str
    status: str

    def fact(self) -> str:
        return f"{self.actor} takes no more messages: it is {self.status}"

    def remedy(self) -> str:
        return "start() begins a new life under the same key; queries still read the last state"


@define(slots=False, eq=False, str=False)
class IdReused(UsageError):
    """An id was used before for another message."""

    actor: str
    id: str
    first: str
    now: str

    def fact(self) -> str:
        return f"{self.actor} has had the id {self.id!r} for {self.first}, now it came with {self.now}"

    def remedy(self) -> str:
        return "an id names one message for good: derive it from the request, body included"


@define(slots=False, eq=False, str=False)
class LimitExceeded(UsageError):
    """Something would grow beyond its bound in ``Limits``."""

    actor: str
    what: str
    limit: str
    allowed: int

    def fact(self) -> str:
        return f"{self.actor}: {self.what} ({self.limit}={self.allowed})"

    def remedy(self) -> str:
        return f"wait, send less, or raise Limits.{self.limit}"


@define(slots=False, eq=False, str=False)
class HistoryFull(LimitExceeded):
    """The run is too long, and an open handler keeps it from closing."""

    holders: tuple[str, ...] = ()

    def fact(self) -> str:
        holders = ", ".join(self.holders)
        return f"{self.actor}: {self.what} ({self.limit}={self.allowed}), held open by {holders}"

    def remedy(self) -> str:
        return (
            "let the handler end from time to time; a main can await continue_as_new() "
            "or be declared @main(restartable=True)"
        )


@define(slots=False, eq=False, str=False)
class JournalFull(LimitExceeded):
    """The journal has come to its quota: what runs may end, and nothing new begins."""

    def remedy(self) -> str:
        return "raise the journal's quota_bytes, or keep less history: Limits.history_messages, history_age"


@define(slots=False, eq=False, str=False)
class NotAccepted(UsageError):
    """The runtime took nothing of this: it is closed, or it has stopped because its journal failed."""

    what: str
    why: str

    def fact(self) -> str:
        return f"{self.what} was not accepted: {self.why}"

    def remedy(self) -> str:
        return "nothing of it happened: send it again when the journal is open again"


@define(slots=False, eq=False, str=False)
class NotInHandler(UsageError):
    """Something that belongs inside a handler was called elsewhere."""

    name: str
    what: str = "there is no actor around this call"

    def fact(self) -> str:
        return f"{self.name}: {self.what}"

    def remedy(self) -> str:
        return "call it from a signal, update, timer or main of an entity"


@define(slots=False, eq=False, str=False)
class WriteInReading(UsageError):
    """Strict mode saw a query or a validator change the state, which was undone; or a test an invariant."""

    handler: str
    what: str

    def fact(self) -> str:
        article = "an" if self.what == "invariant" else "a"
        return f"{self.handler}: {article} {self.what} only reads, and this one changed the state"

    def remedy(self) -> str:
        return "change state in a signal, an update, a timer or main"


@define(slots=False, eq=False, str=False)
class NotAwaited(UsageError):
    """Something was called in a handler and never awaited, so it would never have run."""

    handler: str
    calls: tuple[str, ...]

    def fact(self) -> str:
        return f"{self.handler} called {', '.join(self.calls)} and did not await it before its turn ended"

    def remedy(self) -> str:
        return "await it where it is called, or hand it to gather() or race()"


@define(slots=False, eq=False, str=False)
class InvariantBroken(UsageError):
    """A test found a state of which an ``@invariant`` does not hold."""

    actor: str
    seq: int
    invariant: str
    why: str
    state: str

    def fact(self) -> str:
        where = f"{self.actor}, after message {self.seq}"
        return f"{where}: {self.invariant} does not hold: {self.why}\n  {self.state}"


@define(slots=False, eq=False, str=False)
class TwinDiffers(UsageError):
    """A test crashed an actor, and it went another way than its twin, which never crashes."""

    advice = (
        "what handlers remember belongs in fields of the entity: a module, a class, a closure or a cache "
        "is empty in the next process, and holds what is repeated and what was undone in this one"
    )
    actor: str
    seq: int
    what: str
    actors: object
    """What the actor did that has been through it all."""
    twins: object

    def fact(self) -> str:
        return (
            f"{self.actor}, after message {self.seq}: {self.what} is not what it would be without crashes\n"
            f"  with:    {self.actors}\n"
            f"  without: {self.twins}"
        )


@define(slots=False, eq=False, str=False)
class CheckFailed(UsageError, AssertionError):
    """``check`` found a story in which an entity does what it must not."""

    entity: str
    what: str
    """What is wrong, in the words of the error with which the story ends."""
    story: tuple[str, ...]
    """What happened, a line for each move."""
    listing: str
    """The story as a test, to be pasted."""
    repeat: str
    """What finds it again."""
    error: Exception | None = None
    """With which the story ends."""

    def fact(self) -> str:
        told = [f"  {number}. {line}" for number, line in enumerate(self.story, 1)]
        lines = [f"{self.entity}: {self.what}", ""]
        if told:
            lines += ["the story:", *told, ""]
        if self.listing:
            lines += ["as a test:", "", *(f"    {line}".rstrip() for line in self.listing.splitlines()), ""]
        return "\n".join(lines).rstrip("\n")

    def remedy(self) -> str:
        return f"paste the test and mend the entity; {self.repeat} searches the same way again"


# ---- outcomes ----------------------------------------------------------------------------------------


@define(slots=False, eq=False, str=False)
class Refused(OutcomeError):
    """A business "no": raised by handlers and validators, received by the caller."""

    reason: str
    details: object = None

    def fact(self) -> str:
        return self.reason


@define(slots=False, eq=False, str=False)
class HandlerFailed(OutcomeError):
    """A handler raised something other than ``Refused``; the actor goes on."""

    handler: str
    type: str
    message: str
    details: object = None

    def fact(self) -> str:
        return f"{self.handler} failed with {self.type}: {self.message}"


@define(slots=False, eq=False, str=False)
class ActivityFailed(OutcomeError):
    """An activity ended without a result."""

    activity: str
    type: str
    message: str
    details: object = None

    def fact(self) -> str:
        return f"activity {self.activity} failed with {self.type}: {self.message}"


@define(slots=False, eq=False, str=False)
class Interrupted(OutcomeError):
    """The process ended while an attempt of an activity ran; what it has done is unknown."""

    activity: str

    def fact(self) -> str:
        return f"the process ended while {self.activity} ran"


@define(slots=False, eq=False, str=False)
class TryLater(OutcomeError):
    """Raised by an activity: what it needs is exhausted, and may be there again after a while."""

    after: timedelta
    reason: str = "there is no room at the moment"

    def fact(self) -> str:
        return f"{self.reason}; again after {self.after}"


@define(slots=False, eq=False, str=False)
class Unavailable(OutcomeError):
    """Raised by an activity: what it depends on is down, so others need not try; breaks the circuit."""

    reason: str

    def fact(self) -> str:
        return self.reason


@define(slots=False, eq=False, str=False)
class ChildFailed(OutcomeError):
    """A child ended without a result."""

    child: str
    type: str
    message: str
    details: object = None

    def fact(self) -> str:
        return f"child {self.child} ended with {self.type}: {self.message}"


@define(slots=False, eq=False, str=False)
class CallbackFailed(OutcomeError):
    """The one who held the token answered with a failure."""

    type: str
    message: str
    details: object = None

    def fact(self) -> str:
        return f"the callback failed with {self.type}: {self.message}"


@define(slots=False, eq=False, str=False)
class WrongAnswer(OutcomeError):
    """An answer came that does not have the type that was declared for it."""

    what: str
    problem: str

    def fact(self) -> str:
        return f"the answer to {self.what} cannot be read: {self.problem}"


UNDONE_BYTES = 3_000
NOT_UNDONE_BYTES = 9_000
"""With both, and a reason, an error stays under what is kept of its details: 16,384 bytes."""
TEXT_CHARACTERS = 1_000


def _cut(text: str) -> str:
    cut = text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"
    return cut.encode(errors="replace").decode()  # what cannot be written down must not cost the rest


def _as_many(texts: tuple[str, ...], most: int) -> tuple[list[str], int]:
    """The first of these that find room, and how many are left out."""
    kept: list[str] = []
    for text in map(_cut, texts):
        most -= len(text.encode()) + 3
        if most < 0:
            break
        kept.append(text)
    return kept, len(texts) - len(kept)


@define(slots=False, eq=False, str=False)
class CompensationFailed(OutcomeError):
    """A saga could not be undone whole; the cause is why it was to be undone."""

    undone: tuple[str, ...]
    not_undone: tuple[str, ...]
    why: str = ""
    """What made it necessary."""

    @property
    def details(self) -> dict[str, object]:
        """The same as data, as it reaches callers and other actors: as much as can be kept of it.

        The counts of what was left out are there if anything was.
        """
        undone, more_undone = _as_many(self.undone, UNDONE_BYTES)
        not_undone, more_not_undone = _as_many(self.not_undone, NOT_UNDONE_BYTES)
        found: dict[str, object] = {"undone": undone, "not undone": not_undone, "why": _cut(self.why)}
        if more_undone or more_not_undone:
            found["left out"] = [more_undone, more_not_undone]
        return found

    def fact(self) -> str:
        done = ", ".join(self.undone) or "nothing"
        why = f" after {self.why}" if self.why else ""
        return f"compensation failed{why}: undone {done}; not undone {'; '.join(self.not_undone)}"

    def remedy(self) -> str:
        return "somebody has to undo the rest by hand"


@define(slots=False, eq=False, str=False)
class Unknown(OutcomeError):
    """The journal failed while this was being written: it may be durable, or may not."""

    what: str
    why: str

    def fact(self) -> str:
        return f"it is not known whether {self.what} happened: {self.why}"

    def remedy(self) -> str:
        return "open the journal again and repeat it with the same once(id): then it happens once"


@define(slots=False, eq=False, str=False)
class Standstill(OutcomeError):
    """On a virtual clock: a wait that nothing can end, so it was ended."""

    what: str
    why: str
    picture: str = ""
    """The actors it is about, as ``describe()`` shows them."""

    def fact(self) -> str:
        return f"{self.what} waits in vain: {self.why}" + f"\n{self.picture}" * bool(self.picture)

    def remedy(self) -> str:
        return "answer what is waited for before you wait, or from another task; or give it a time-out"


@define(slots=False, eq=False, str=False)
class Deadlock(OutcomeError):
    """Actors await each other's updates in a circle; the last one to ask gets this."""

    path: tuple[str, ...]

    def fact(self) -> str:
        return f"actors wait for each other: {' -> '.join(self.path)}"

    def remedy(self) -> str:
        return "send a signal instead of awaiting an update, or declare one of the handlers interleave=True"


class Cancelled(BaseException):
    """The scope around this await is cancelled; it comes again at every await until the scope ends.

    A ``BaseException``, so that ``except Exception`` does not swallow it.
    """


_NAMED = re.compile(r"(\w+)\(name='([^']*)'")
"""How the report of an effect begins, where that has a name."""

# ---- faults ------------------------------------------------------------------------------------------


@define(slots=False, eq=False, str=False)
class Divergence(FaultError):
    """Replay did something other than what is recorded."""

    actor: str
    seq: int
    handler: str
    what: str
    recorded: object
    produced: object

    def fact(self) -> str:
        return (
            f"{self.actor}, message {self.seq}, handler {self.handler}: {self.what} differs from the record\n"
            f"  recorded: {self.recorded}\n"
            f"  produced: {self.produced}"
        )

    def remedy(self) -> str:
        if self.what == "the handler":
            return f"a renamed handler has aliases=[{self.recorded!r}]; one that is gone has to come back"
        was, does = _NAMED.match(str(self.recorded)), _NAMED.match(str(self.produced))
        renamed = ""
        if was and does and was[1] == does[1] and was[2] != does[2]:
            renamed = f"if it was renamed, declare it with aliases=[{was[2]!r}]; "
        return (
            f"{renamed}code that changes what a handler asks for goes behind patched('id'); "
            "code that reads a clock, chance or the outside belongs in an activity"
        )


@define(slots=False, eq=False, str=False)
class DecodeError(FaultError):
    """Bytes that do not say what they should."""

    where: str
    what: str
    hint: str = ""

    def fact(self) -> str:
        return f"{self.where}: {self.what}"

    def remedy(self) -> str:
        return self.hint


@define(slots=False, eq=False, str=False)
class ForeignAwait(FaultError):
    """A handler awaited something that is not actorflow's, so replay could not await it again."""

    handler: str
    what: str

    def fact(self) -> str:
        return f"{self.handler} awaited {self.what}, which actorflow does not know"

    def remedy(self) -> str:
        return (
            "in a handler await activities, sleep, wait_until, gather, race, callbacks and actors; "
            "do I/O in an activity"
        )


@define(slots=False, eq=False, str=False)
class NondeterminismError(FaultError):
    """Strict mode saw a handler touch something that would be different on replay."""

    where: str
    what: str
    instead: str

    def fact(self) -> str:
        return f"{self.where} uses {self.what}, which would be different on replay"

    def remedy(self) -> str:
        return self.instead


@define(slots=False, eq=False, str=False)
class Suspect(FaultError):
    """The process has died more than once while this actor was being activated, so it is left alone."""

    actor: str
    times: int

    def fact(self) -> str:
        return f"{self.actor} is set aside: the process died {self.times} times while it was being activated"

    def remedy(self) -> str:
        return "mend its handlers, unless it was killed from outside, and call readmit(); the others go on"


@define(slots=False, eq=False, str=False)
class Unstorable(FaultError):
    """Strict mode saw a handler leave something in the state that is no value of its field."""

    actor: str
    what: str
    hint: str = ""

    def fact(self) -> str:
        return f"{self.actor} has a state that cannot be stored: {self.what}"

    def remedy(self) -> str:
        return self.hint


@define(slots=False, eq=False, str=False)
class Stuck(FaultError):
    """A handler waits for a change that can only come from messages that wait behind it."""

    actor: str
    handler: str
    waiting: int

    def fact(self) -> str:
        return (
            f"{self.actor} can never move: {self.handler} waits for a condition, "
            f"and the {self.waiting} message(s) that could change it wait behind it"
        )

    def remedy(self) -> str:
        return "declare a handler that may come between with interleave=True, or give wait_until a timeout"


@define(slots=False, eq=False, str=False)
class Runaway(FaultError):
    """A turn that does not come to an end."""

    actor: str
    handler: str
    resumed: int

    def fact(self) -> str:
        return (
            f"{self.actor}: {self.handler} went on {self.resumed} times in one turn, and nothing made it wait"
        )

    def remedy(self) -> str:
        return "a loop around an await needs one that really waits; one that catches Cancelled has to end"


class NondeterminismWarning(UserWarning):
    """The lint saw something in a handler that would be different on replay."""


def _name_as_imported() -> None:
    """Let tracebacks name the path by which users import these."""
    for name in __all__:
        globals()[name].__module__ = "actorflow"


_name_as_imported()
