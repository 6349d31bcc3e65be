"""One actor in memory: its tables, and the verbs by which a running handler changes them.

An ``Actor`` is what a step works on and nothing else may change.  What the journal keeps of it is in
``snapshot``; how it is made again from that is in ``replay``.
"""

# Long because it is one class: every table of an actor, and each verb that keeps two of them in step.

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from actorflow.errors import (
    ActorflowError,
    AlreadyStarted,
    HistoryFull,
    LimitExceeded,
    NotAwaited,
    NotInHandler,
)

from .facts import (
    ARM,
    CHILD_TERMS,
    CLOSE_CHILD,
    DISARM,
    SEND,
    SLEEP,
    START_CHILD,
    WITHDRAW,
    Address,
    Arm,
    Await,
    CloseChild,
    Disarm,
    Effect,
    Input,
    Instant,
    Ref,
    Send,
    Sender,
    Sleep,
    StartChild,
    Terms,
    Withdraw,
)
from .pending import Open, Pending, Promise, Reading, Unresolved, Watch, woken
from .phases import VACANT
from .tasks import Scope, Task

if TYPE_CHECKING:
    from .debts import Debt
    from .once import Ids
    from .spec import Handler, Spec

DIGEST_BYTES_MIN = 4096
"""Bytes of records that call for a digest of even the smallest state."""

__all__ = ["NOTHING", "Actor", "Arming", "Child", "Parked", "timer_of"]


_new: Final = cast("Callable[[type[Arm], tuple[Any, ...]], Arm]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]
"""Makes a named tuple in half the time that its class takes; a timer is armed for every item of a cart."""
EMPTY: Final[deque[Any]] = cast("deque[Any]", ())
"""In place of a queue that nobody has put anything into: an empty deque takes 760 bytes, two would be a third
of an actor's memory, and most actors need neither.  Whoever puts something into it finds out."""

NOTHING: Final[dict[Any, Any]] = cast("dict[Any, Any]", MappingProxyType({}))
"""In place of each table of an actor at rest that holds nothing: an empty one takes 64 bytes."""
NO_RECORDS: Final[list[bytes]] = cast("list[bytes]", ())
"""The same for its tail."""
AT_REST: Final = Scope(None)
"""In place of the scope of an actor at rest that was not cancelled: it takes 64 bytes."""
_BARE: Final[dict[str, tuple[str, bytes]]] = {}
"""A timer without arguments is called the same in every actor of an entity: one tuple of 56 bytes for all."""
TABLES: Final = (
    "aliases",
    "child_refs",
    "children",
    "debts",
    "open",
    "parked",
    "pending",
    "tasks",
    "watches",
)


def timer_of(name: str, body: bytes) -> tuple[str, bytes]:
    """By which a timer goes in an actor's table."""
    return (name, body) if body else _BARE.get(name) or _BARE.setdefault(name, (name, body))


class Arming:
    """A named timer that is armed."""

    __slots__ = ("due", "fired", "ref")

    def __init__(self, ref: Ref, due: Instant, *, fired: bool = False) -> None:
        self.ref = ref
        self.due = due
        self.fired = fired
        """Its fire is admitted and waits; it runs unless the timer is armed again or cancelled before."""


class Child:
    """A child that is alive."""

    __slots__ = ("pending", "policy", "ref", "told")

    def __init__(self, ref: Ref, policy: str, told: str = "") -> None:
        self.ref = ref
        self.policy = policy
        self.told = told
        """How it was told to close, if it was."""
        self.pending: Promise | None = None
        """Who could still await its result: the handler that started it, while that is open."""


class Parked:
    """A message that failed and was set aside."""

    __slots__ = ("error", "first", "input", "now")

    def __init__(self, input_: Input, error: bytes, now: Instant, first: int) -> None:
        self.input = input_
        self.error = error
        self.now = now
        self.first = first
        """The seq under which it first came; its once-id belongs to that."""


class Actor:
    """One actor."""

    __slots__ = (
        "address",
        "alarm",
        "alarm_due",
        "aliases",
        "answers",
        "awaits",
        "base",
        "base_mailbox",
        "base_parked",
        "born",
        "broken",
        "chances",
        "child_refs",
        "children",
        "close_due",
        "code",
        "continue_wanted",
        "debts",
        "digest_at",
        "effects",
        "ending",
        "failure",
        "fault",
        "guard",
        "harsh",
        "held",
        "holder",
        "ids",
        "last_failure",
        "life",
        "mailbox",
        "main",
        "main_due",
        "marks",
        "new_run",
        "newborn",
        "nonce",
        "now",
        "open",
        "owed",
        "parent",
        "parked",
        "patches",
        "pending",
        "phase",
        "reading",
        "ready",
        "recorded",
        "result",
        "run",
        "run_bytes",
        "run_records",
        "scope",
        "seed",
        "seq",
        "spec",
        "starting",
        "state",
        "status",
        "stopped",
        "strict",
        "tail",
        "tail_bytes",
        "task",
        "tasks",
        "timers",
        "touched",
        "turn",
        "unawaited",
        "undigested",
        "unstorable",
        "watches",
    )

    def __init__(self, spec: Spec, key: str, ids: Ids, seed: bytes = b"") -> None:
        self.spec = spec
        self.address: Address = (spec.name, key)
        self.ids = ids
        self.seed = seed
        """Random bytes for the nonce of the first life; later ones follow from it."""
        self.strict = False
        self.recorded: frozenset[str] | None = None
        """In replay, the marks that the turn under way was recorded with."""
        self.guard: Callable[[str], Callable[[], None]] | None = None
        """Strict mode's watch over a running handler: entered with its name, left by what it returns."""
        self.aliases: dict[str, str] = {}
        """Names of activities and of others' handlers that went by another name before."""
        self.broken: BaseException | None = None
        """Why this actor could not be made whole again; it takes nothing any more."""
        self.unstorable: ActorflowError | None = None
        """Why no base could be taken: the state holds something that cannot be stored."""
        self.tail: list[bytes] = []
        """The records since the base, for undoing."""
        self.tail_bytes = 0
        self.base: bytes | None = None
        """A snapshot that a failed turn goes back to; none before the first quiet moment that was kept."""
        self.base_mailbox: tuple[tuple[int, Input], ...] = ()
        """What belongs to it: no handler can touch the mailbox or what is parked."""
        self.base_parked: dict[int, Parked] = NOTHING
        self.vacate()

    def vacate(self) -> None:
        """Become an actor that nobody has heard of."""
        self.phase = VACANT
        self.status = ""
        self.result = b""
        self.life = 0
        self.nonce = b""
        self.run = 0
        self.seq = 0
        self.now: Instant = 0
        self.born: Instant = 0
        self.parent: Sender | None = None
        self.state: Any = None
        self.code = b""
        """The fingerprint of the code that the last record ran under."""
        self.mailbox: deque[tuple[int, Input]] = EMPTY
        self.timers: dict[tuple[str, bytes], Arming] = {}
        self.children: dict[Address, Child] = {}
        self.child_refs: dict[Ref, Address] = {}
        self.parked: dict[int, Parked] = {}
        self.debts: dict[int, Debt] = {}
        """What sagas could not undo, by the seq of their handler."""
        self.stopped: int | None = None
        """The parked message, or the debt, that holds the mailbox."""
        self.last_failure: tuple[int, str, bytes] | None = None
        self.main_due = False
        self.continue_wanted = False
        self.close_due = False
        self.alarm: Ref | None = None
        """While closing: the sleep after which children are terminated."""
        self.alarm_due: Instant = 0
        self.harsh = False
        """While closing: children are terminated, not asked."""
        self.run_records = 0
        self.run_bytes = 0
        self.new_run = True
        """Nothing but its own beginning is in this run yet."""
        self.undigested = 0
        """Bytes of records since the last that has a digest."""
        self.digest_at = DIGEST_BYTES_MIN
        """How many of them call for the next."""
        self.calm()

    def calm(self) -> None:
        """Have nothing under way."""
        self.open: dict[int, Open] = {}
        self.holder: Open | None = None
        self.main: Open | None = None
        self.pending: dict[Ref, Pending] = {}
        self.scope = Scope(None)
        self.tasks: dict[Task, None] = {}
        self.ready: deque[Task] = EMPTY
        self.held: list[Task] = []
        self.watches: dict[Watch, None] = {}
        self.task: Task | None = None
        self.starting: Handler | None = None
        """The handler that started in this turn."""
        self.touched = True
        self.begin(0)

    def begin(self, turn: int) -> None:
        """Begin a turn."""
        self.turn = turn
        self.effects: list[Effect] = []
        self.chances = 0
        if self.touched:
            self.clear()

    def clear(self) -> None:
        """Forget what the last turn had besides effects; most turns have nothing."""
        self.touched = False
        if self.open is NOTHING:
            self._rise()
        self.awaits = 0
        self.marks: list[str] = []
        self.patches: dict[str, bool] = {}
        """What ``patched`` answered to a handler that cannot suspend."""
        self.answers: list[tuple[str, int, str, bytes]] = []
        """Answers to once-ids, taken over when the turn stands."""
        self.owed: list[int] = []
        """Of which handlers there is a debt since this turn."""
        self.unawaited: dict[Any, None] = {}
        self.failure: BaseException | None = None
        self.fault: BaseException | None = None
        self.ending: tuple[str, bytes] | None = None
        self.newborn = False
        """A life began in this turn."""
        self.reading = ""
        """What only reads at the moment: a query, a validator or a predicate."""

    def rest(self) -> None:
        """Keep no more than has to be known until the next turn, which begins by making it all anew."""
        for name in TABLES:
            if not getattr(self, name):
                setattr(self, name, NOTHING)
        self.effects = self.marks = self.answers = self.owed = self.held = cast("list[Any]", ())
        self.patches = self.unawaited = NOTHING
        if self.undigested == self.run_bytes:
            self.undigested = self.run_bytes  # one number of 32 bytes, and not two that are alike
        if not self.tail:
            self.tail = NO_RECORDS
        if not self.scope.called:
            self.scope = AT_REST
        self.touched = True

    def _rise(self) -> None:
        """Make what ``rest`` let go of."""
        self.held = []
        if self.tail is NO_RECORDS:
            self.tail = []
        if self.scope is AT_REST:
            self.scope = Scope(None)
        for name in TABLES:
            if getattr(self, name) is NOTHING:
                setattr(self, name, {})

    # -- how it is called and what it is doing ---------------------------------------------------------

    def __str__(self) -> str:
        return f"{self.address[0]} {self.address[1]!r}"

    @property
    def replaying(self) -> bool:
        return self.recorded is not None

    @property
    def opener(self) -> Open | None:
        """The handler on whose behalf code runs now, if it is one that may suspend."""
        return None if self.task is None else self.task.open

    # -- queues ----------------------------------------------------------------------------------------

    def line_up(self, task: Task) -> None:
        """Put a task at the end of those that can go on."""
        if self.ready is EMPTY:
            self.ready = deque()
        self.ready.append(task)

    def await_turn(self, seq: int, input_: Input, *, ahead: bool = False) -> None:
        """Put a message at the end of those that wait, or ahead of them all."""
        if self.mailbox is EMPTY:
            self.mailbox = deque()
        if ahead:
            self.mailbox.appendleft((seq, input_))
        else:
            self.mailbox.append((seq, input_))

    # -- effects ---------------------------------------------------------------------------------------

    def emit(self, effect: Effect) -> Ref:
        """Ask the world for something; it happens once this turn's record is durable."""
        effects = self.effects
        if len(effects) >= self.spec.limits.turn_effects:
            allowed = self.spec.limits.turn_effects
            raise LimitExceeded(str(self), "one turn asks for too much", "turn_effects", allowed)
        effects.append(effect)
        return self.turn, len(effects) - 1

    def expect(
        self, effect: Unresolved, read: Reading, *, patient: bool = False, asked: Any = None
    ) -> Pending:
        """Ask for something that resolves later, on behalf of the handler that runs."""
        open_ = self.waiter()
        self._has_room(open_)
        ref = self.emit(effect)
        pending = Pending(open_, ref, effect, read, at=self.now, patient=patient, asked=asked)
        self.pending[ref] = pending
        open_.pending[ref] = pending
        return pending

    def promise(self, effect: Await, form: Any) -> Promise:
        """Ask for an answer from outside."""
        open_ = self.waiter()
        self._has_room(open_)
        promise = Promise(open_, self.emit(effect), effect, form)
        self.pending[promise.ref] = promise
        open_.pending[promise.ref] = promise
        return promise

    def _has_room(self, open_: Open) -> None:
        limits = self.spec.limits
        if len(self.pending) >= limits.pending_effects:
            raise LimitExceeded(str(self), "too much is pending", "pending_effects", limits.pending_effects)
        if self.exhausted:
            what, holders = f"its run is too long for {open_.handler.where} to ask for more", self.holders
            if self.run_records >= 2 * limits.run_records:
                raise HistoryFull(str(self), what, "run_records", limits.run_records, holders)
            raise HistoryFull(str(self), what, "run_bytes", limits.run_bytes, holders)

    @property
    def exhausted(self) -> bool:
        """Whether the run is so long that nobody may ask for more.

        Messages are refused at half of that, so that what is open has room to come to its end.
        """
        limits = self.spec.limits
        return self.run_records >= 2 * limits.run_records or self.run_bytes >= 2 * limits.run_bytes

    @property
    def holders(self) -> tuple[str, ...]:
        """The handlers that keep the run open."""
        return tuple(open_.handler.where for open_ in self.open.values())

    def waiter(self) -> Open:
        """The handler on whose behalf something is awaited."""
        open_ = self.opener
        if open_ is None:
            assert self.starting is not None, "somebody calls"
            raise NotInHandler(
                self.starting.where, "a handler that is not `async def` cannot wait for an answer"
            )
        return open_

    def withdraw(self, pending: Pending) -> None:
        """Nobody waits for it any more; the world should stop."""
        if not pending.withdrawn:
            pending.withdrawn = True
            self.effects.append(Withdraw(WITHDRAW, *pending.ref))

    def forget(self, pending: Pending) -> None:
        """Its resolution, if one still comes, is late."""
        self.pending.pop(pending.ref, None)
        pending.open.pending.pop(pending.ref, None)

    def forgotten(self, task: Task | None) -> NotAwaited | None:
        """What a task, or a handler that is none, called and did not await; that is an error once it ends."""
        calls = [call for call in self.unawaited if call.task is task]
        for call in calls:
            del self.unawaited[call]
        if not calls:
            return None
        handler = task.open.handler if task is not None else self.starting
        assert handler is not None, "a call is made by a handler"
        return NotAwaited(handler.where, tuple(str(call) for call in calls))

    def watch(self, predicate: Callable[[], bool], alarm: Pending | None) -> Watch:
        """Wait for a condition, with or without a time-out."""
        watch = Watch(predicate)
        watch.alarm = alarm
        if alarm is not None:
            alarm.shares = watch
        self.watches[watch] = None
        return watch

    def fits(self, body: bytes, what: str) -> None:
        """See that a payload is within its bound."""
        limit = self.spec.limits.payload_bytes
        if len(body) > limit:
            raise LimitExceeded(str(self), f"{len(body)} bytes for {what}", "payload_bytes", limit)

    def send(self, entity: str, key: str, name: str, body: bytes, id_: str | None) -> None:
        self.emit(Send(SEND, entity, key, name, body, id_))

    def sleep(self, due: Instant) -> Pending:
        return self.expect(Sleep(SLEEP, due), woken)

    # -- timers and children ---------------------------------------------------------------------------

    def arm(self, name: str, body: bytes, due: Instant) -> None:
        timers, limit, timer = self.timers, self.spec.limits.timers, timer_of(name, body)
        if body:
            self.fits(body, "the arguments of a timer")
        if len(timers) >= limit and timer not in timers:
            raise LimitExceeded(str(self), "too many timers are armed", "timers", limit)
        timers[timer] = Arming(self.emit(_new(Arm, (ARM, name, body, due))), due)

    def disarm(self, name: str, body: bytes) -> None:
        if self.timers.pop((name, body), None) is not None:
            self.emit(Disarm(DISARM, name, body))

    def start_child(self, entity: str, key: str, body: bytes, policy: str, terms: Terms) -> Child:
        if (entity, key) in self.children:
            raise AlreadyStarted(f"child {entity} {key!r} of {self}", "running")
        self.fits(body, "the initial state of a child")
        if len(self.children) >= self.spec.limits.children:
            raise LimitExceeded(
                str(self), "too many children are alive", "children", self.spec.limits.children
            )
        said = None if terms == CHILD_TERMS else tuple(terms)
        effect = StartChild(START_CHILD, entity, key, body, policy, said)
        ref = self.emit(effect)
        child = self.children[entity, key] = Child(ref, policy)
        self.child_refs[ref] = entity, key
        # Not in the pending table: a child belongs to the life, only the wish for its result to a handler.
        open_ = self.opener
        if open_ is not None:
            child.pending = Promise(open_, ref, effect, None)
        return child

    def close_child(self, address: Address, how: str) -> None:
        child = self.children.get(address)
        if child is not None and child.told != how:
            child.told = how
            self.emit(CloseChild(CLOSE_CHILD, *address, how))
