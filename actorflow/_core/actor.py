"""One actor in memory: its tables, and the verbs by which a running handler changes them.

An ``Actor`` is what a step works on and nothing else may change.  What the journal keeps of it is in
``snapshot``; how it is made again from that is in ``replay``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actorflow.errors import ActorflowError, FaultError, LimitExceeded, NotAwaited, NotInHandler

from .facts import (
    ARM,
    CLOSE_CHILD,
    DISARM,
    SEND,
    SLEEP,
    START_CHILD,
    WITHDRAW,
    Address,
    Arm,
    Ask,
    Await,
    CloseChild,
    Disarm,
    Effect,
    Input,
    Instant,
    Ref,
    Schedule,
    Send,
    Sender,
    Sleep,
    StartChild,
    Withdraw,
)
from .phases import VACANT
from .tasks import Future, Scope, Task

if TYPE_CHECKING:
    from .once import Ids
    from .spec import Handler, Spec

__all__ = ["Actor", "Arming", "Child", "Open", "Parked", "Pending", "Watch"]

Unresolved = Schedule | Sleep | Await | Ask | StartChild
"""Effects that resolve later."""
Reading = Callable[[str, bytes], tuple[Any, BaseException | None]]
"""Turns how an effect ended into what its waiter gets: a value or an error."""


class Open:
    """A handler that has started and not ended."""

    __slots__ = ("fresh", "handler", "input", "patches", "pending", "scope", "seq", "since")

    def __init__(self, seq: int, input_: Input, handler: Handler, scope: Scope, since: Instant) -> None:
        self.seq = seq
        self.input = input_
        self.handler = handler
        self.scope = scope
        self.since = since
        self.fresh = True
        """Started in the turn under way: a failure now leaves no trace."""
        self.pending: dict[Ref, Pending] = {}
        self.patches: dict[str, bool] = {}


class Pending(Future):
    """An effect that will be resolved by an input."""

    __slots__ = ("effect", "open", "patient", "read", "ref", "shares", "withdrawn")

    def __init__(self, open_: Open, ref: Ref, effect: Unresolved, read: Reading, *, patient: bool) -> None:
        super().__init__()
        self.open = open_
        self.ref = ref
        self.effect = effect
        self.read = read
        self.patient = patient
        """When cancelled, wait for the end all the same: a running activity is not left behind."""
        self.withdrawn = False
        self.shares: Watch | None = None
        """The condition whose time-out this is."""

    def resolve(self, actor: Actor, how: str, body: bytes) -> None:
        """The world has answered."""
        actor.forget(self)
        value, error = self.read(how, body)
        if isinstance(error, FaultError):
            actor.fault = error
        if self.shares is not None:
            self.shares.time_out(actor)
        self.settle(actor, value, error)

    def abandon(self, actor: Actor) -> None:
        actor.withdraw(self)
        if not self.patient:
            actor.forget(self)
            super().abandon(actor)

    def interrupt(self, actor: Actor, error: BaseException) -> None:
        actor.withdraw(self)
        actor.forget(self)
        super().interrupt(actor, error)


class Watch(Future):
    """A condition on the state that a task waits for."""

    __slots__ = ("alarm", "predicate")

    def __init__(self, predicate: Callable[[], bool]) -> None:
        super().__init__()
        self.predicate = predicate
        self.alarm: Pending | None = None

    def settle(self, actor: Actor, value: Any, error: BaseException | None) -> None:
        if not self.done:
            actor.watches.pop(self, None)
            alarm, self.alarm = self.alarm, None
            if alarm is not None:
                actor.withdraw(alarm)
                actor.forget(alarm)
        super().settle(actor, value, error)

    def time_out(self, actor: Actor) -> None:
        self.alarm = None
        self.settle(actor, None, TimeoutError("the condition did not come true in time"))


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
        self.pending: Pending | None = None
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
        "answers",
        "base",
        "born",
        "chances",
        "child_refs",
        "children",
        "close_due",
        "code",
        "continue_wanted",
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
        "newborn",
        "nonce",
        "now",
        "open",
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
        self.tail: list[bytes] = []
        """The records since the base, for undoing."""
        self.tail_bytes = 0
        self.base: bytes = b""
        """The last snapshot: what a failed turn goes back to; empty before the first."""
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
        self.mailbox: deque[tuple[int, Input]] = deque()
        self.timers: dict[tuple[str, bytes], Arming] = {}
        self.children: dict[Address, Child] = {}
        self.child_refs: dict[Ref, Address] = {}
        self.parked: dict[int, Parked] = {}
        self.stopped: int | None = None
        """The parked message that holds the mailbox."""
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
        self.calm()

    def calm(self) -> None:
        """Have nothing under way."""
        self.open: dict[int, Open] = {}
        self.holder: Open | None = None
        self.main: Open | None = None
        self.pending: dict[Ref, Pending] = {}
        self.scope = Scope(None)
        self.tasks: dict[Task, None] = {}
        self.ready: deque[Task] = deque()
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
        self.marks: list[str] = []
        self.patches: dict[str, bool] = {}
        """What ``patched`` answered to a handler that cannot suspend."""
        self.answers: list[tuple[str, int, str, bytes]] = []
        """Answers to once-ids, taken over when the turn stands."""
        self.unawaited: dict[Any, None] = {}
        self.failure: BaseException | None = None
        self.fault: BaseException | None = None
        self.ending: tuple[str, bytes] | None = None
        self.newborn = False
        """A life began in this turn."""
        self.reading = ""
        """What only reads at the moment: a query, a validator or a predicate."""

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

    # -- effects ---------------------------------------------------------------------------------------

    def emit(self, effect: Effect) -> Ref:
        """Ask the world for something; it happens once this turn's record is durable."""
        effects = self.effects
        if len(effects) >= self.spec.limits.turn_effects:
            allowed = self.spec.limits.turn_effects
            raise LimitExceeded(str(self), "one turn asks for too much", "turn_effects", allowed)
        effects.append(effect)
        return self.turn, len(effects) - 1

    def expect(self, effect: Unresolved, read: Reading, *, patient: bool = False) -> Pending:
        """Ask for something that resolves later, on behalf of the handler that runs."""
        open_ = self._waiter()
        if len(self.pending) >= self.spec.limits.pending_effects:
            allowed = self.spec.limits.pending_effects
            raise LimitExceeded(str(self), "too much is pending", "pending_effects", allowed)
        ref = self.emit(effect)
        pending = Pending(open_, ref, effect, read, patient=patient)
        self.pending[ref] = pending
        open_.pending[ref] = pending
        return pending

    def _waiter(self) -> Open:
        open_ = self.opener
        if open_ is None:
            assert self.starting is not None, "somebody calls"
            raise NotInHandler(self.starting.where, "a handler that is not `async def` cannot wait for an answer")
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

    def send(self, entity: str, key: str, name: str, body: bytes, id_: str | None) -> None:
        self.emit(Send(SEND, entity, key, name, body, id_))

    def sleep(self, due: Instant) -> Pending:
        return self.expect(Sleep(SLEEP, due), _woken)

    # -- timers and children ---------------------------------------------------------------------------

    def arm(self, name: str, body: bytes, due: Instant) -> None:
        timers = self.timers
        if len(timers) >= self.spec.limits.timers and (name, body) not in timers:
            raise LimitExceeded(str(self), "too many timers are armed", "timers", self.spec.limits.timers)
        timers[name, body] = Arming(self.emit(Arm(ARM, name, body, due)), due)

    def disarm(self, name: str, body: bytes) -> None:
        if self.timers.pop((name, body), None) is not None:
            self.emit(Disarm(DISARM, name, body))

    def start_child(self, entity: str, key: str, body: bytes, policy: str, read: Reading) -> Child:
        if (entity, key) in self.children:
            raise ActorflowError(f"{self} has a child {entity} {key!r} already")
        if len(self.children) >= self.spec.limits.children:
            raise LimitExceeded(str(self), "too many children are alive", "children", self.spec.limits.children)
        effect = StartChild(START_CHILD, entity, key, body, policy)
        ref = self.emit(effect)
        child = self.children[entity, key] = Child(ref, policy)
        self.child_refs[ref] = entity, key
        # Not in the pending table: a child belongs to the life, only the wish for its result to a handler.
        open_ = self.opener
        if open_ is not None:
            child.pending = Pending(open_, ref, effect, read, patient=False)
            child.pending.withdrawn = True
        return child

    def close_child(self, address: Address, how: str) -> None:
        child = self.children.get(address)
        if child is not None and child.told != how:
            child.told = how
            self.emit(CloseChild(CLOSE_CHILD, *address, how))


def _woken(how: str, body: bytes) -> tuple[None, None]:  # noqa: ARG001 - however it ended, it is over
    return None, None
