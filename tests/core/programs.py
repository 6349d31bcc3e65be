"""Random programs: an entity whose handlers do what their arguments say, and the strategies that make them.

A program is a list of moves, what the world does to one actor; a message carries instructions, what its
handler does.  ``course`` plays the one against the other.  Ranges are wide on purpose: answers of the wrong
type, values that cannot be stored, arguments that stopped fitting.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import Any

from attrs import define, field, frozen
from hypothesis import settings
from hypothesis import strategies as st

import actorflow as af
from actorflow import Refused, activity, entity, main, query, signal, timer, update
from actorflow._codec import pack
from actorflow._codec.failures import pack_failure
from actorflow._core import facts
from actorflow.limits import Limits

__all__ = [
    "ENTITIES",
    "LIMITS",
    "Answer",
    "Cancel",
    "Discharge",
    "Drop",
    "Late",
    "Malformed",
    "Message",
    "Move",
    "Op",
    "Pass",
    "Program",
    "Retry",
    "Start",
    "Terminate",
    "programs",
]

SECOND = timedelta(seconds=1)
# Small, so that short programs run into them.
LIMITS = Limits(
    mailbox_messages=5,
    parked_messages=3,
    pending_effects=8,
    turn_effects=12,
    timers=4,
    children=4,
    run_records=40,
    continue_records=7,
    id_bytes=900,
    id_window=10 * SECOND,
    close_timeout=5 * SECOND,
)
POLICIES: tuple[Any, ...] = ("cancel", "terminate", "abandon")


@define
class Op:
    """One instruction: what to do, with a number, and with instructions of its own."""

    do: str
    by: int = 0
    ops: list[Op] = field(factory=list)


@define
class Box:
    """Something mutable to hold twice."""

    n: int = 0


@activity
async def patient(x: int) -> int:
    """Waited for when it is cancelled."""
    return x


@activity(on_cancel="abandon")
async def hasty(x: int) -> int:
    """Left behind when it is cancelled."""
    return x


@entity
class Other:
    """Somebody to send to, and to have for a child."""

    n: int = 0

    @signal
    def poke(self, x: int) -> None:
        """Take a signal."""

    @update
    def ask(self, x: int) -> int:
        return x


# ---- what a handler can be told ----------------------------------------------------------------------

PLAIN = [
    "inc",
    "log",
    "arm",
    "disarm",
    "tock",
    "send",
    "boom",
    "refuse",
    "complete",
    "child",
    "forget",
    "continue",
    "patched",
    "chance",
    "deep",
    "huge",
    "int",
    "twice",
]
"""What any handler can do."""
STRANGE = ("huge", "int", "twice")
"""What strict mode refuses, and what cannot be stored: rare, for much of it ends a program early."""
WAITING = [
    "patient",
    "hasty",
    "sleep",
    "until",
    "until_soon",
    "ask",
    "result",
    "callback",
    "result_twice",
    "callback_twice",
]
"""What one that may suspend can wait for."""
AROUND = ["gather", "race", "shield", "saga", "attempt", "finally", "swallow"]
"""What it can put around other instructions."""


def at_once(self: Any, op: Op) -> None:
    """Follow an instruction that waits for nothing."""
    by = op.by
    match op.do:
        case "inc":
            self.n += by
        case "log":
            self.log.append(by)
        case "arm":
            self.tick(by % 3).arm(after=by * SECOND)
        case "disarm":
            self.tick(by % 3).cancel()
        case "tock":
            self.tock(by).arm(after=by * SECOND)
        case "send":
            af.actor(Other, "x").signal(Other.poke, self.n)
        case "boom":
            raise ValueError(f"boom {self.n}")
        case "refuse":
            raise Refused("no", by)
        case "complete":
            af.complete(self.n)
        case "child":
            af.start_child(Other(by), f"k{by}", policy=POLICIES[by % 3])
        case "forget":
            patient(by)
        case "continue":
            af.continue_as_new()
        case "patched":
            self.n += af.patched(f"p{by}")
        case "chance":
            self.log.append(af.random().randrange(100) + af.uuid4().int % 10)
        case "deep":
            self.boxes = [Box(by), *self.boxes[:2]]
        case "huge":
            self.huge = 1 << 80 if by else 0
        case "int":
            self.ratio = by
        case "twice":
            self.boxes = [Box(by)] * (1 + by % 2)
        case _:
            raise AssertionError(op.do)


async def wait_for(self: Any, op: Op) -> None:
    """Follow an instruction that waits."""
    by = op.by
    match op.do:
        case "patient":
            self.log.append(await patient(by))
        case "hasty":
            self.log.append(await hasty(by))
        case "sleep":
            await af.sleep(by * SECOND)
        case "until":
            await af.wait_until(lambda: self.n >= by)
        case "until_soon":
            await af.wait_until(lambda: self.n >= by, timeout=2 * SECOND)
        case "ask":
            self.log.append(await af.actor(Other, str(by)).update(Other.ask, by))
        case "result":
            self.log.append(await af.start_child(Other(by), str(by)).result(int) or 0)
        case "callback":
            self.log.append(await af.callback(int, timeout=(by + 1) * SECOND))
        case "result_twice":
            child = af.start_child(Other(by), f"r{by}")
            self.n += (await af.race(child.result(int), af.sleep(SECOND))).index
            self.log += await af.gather(child.result(int), child.result(int))
        case "callback_twice":
            answer = af.callback(int, timeout=None)
            self.n += (await af.race(answer, af.sleep(SECOND))).index
            self.log += await af.gather(answer, answer)
        case _:
            raise AssertionError(op.do)


async def follow(self: Any, ops: list[Op]) -> None:
    """Follow instructions one after the other."""
    for op in ops:
        match op.do:
            case "gather":
                await af.gather(*[follow(self, [one]) for one in op.ops], at_most=op.by + 1)
            case "race":
                self.n += (await af.race(*[follow(self, [one]) for one in op.ops])).index
            case "shield":
                async with af.shielded():
                    await follow(self, op.ops)
            case "saga":
                async with af.saga() as undo:
                    undo(patient, op.by)
                    undo(follow, self, [Op("send")])  # on a copy of the state, as it is now
                    await follow(self, op.ops)
            case "attempt":
                try:
                    await follow(self, op.ops)
                except Exception:  # noqa: BLE001 - the instruction is to go on whatever happens
                    self.log.append(-1)
            case "finally":
                try:
                    await follow(self, op.ops)
                finally:
                    self.n += 1
                    at_once(self, Op("send"))
                    await patient(99)
            case "swallow":
                try:
                    await follow(self, op.ops)
                except BaseException:  # noqa: BLE001 - even being cancelled; authors do such things
                    self.log.append(-2)
            case waits if waits in WAITING:
                await wait_for(self, op)
            case _:
                at_once(self, op)


# ---- the entity --------------------------------------------------------------------------------------

MAINS = ("none", "ends", "fails", "restartable", "continues")


def _program_of(kind: str) -> type[Any]:
    """The entity, with one of several kinds of ``main``."""

    @entity(name="Program", limits=LIMITS)
    class Program:
        n: int = 0
        log: list[int] = field(factory=list)
        boxes: list[Box] = field(factory=list)
        huge: int = 0
        ratio: float = 0.0

        @signal
        def now(self, ops: list[Op]) -> None:
            for op in ops:
                at_once(self, op)

        @signal
        async def exclusive(self, ops: list[Op]) -> None:
            await follow(self, ops)

        @signal(interleave=True)
        async def between(self, ops: list[Op]) -> None:
            await follow(self, ops)

        @signal(on_failure="stop")
        async def stopping(self, ops: list[Op]) -> None:
            await follow(self, ops)

        @update
        async def answered(self, ops: list[Op]) -> int:
            await follow(self, ops)
            return self.n

        @update(interleave=True)
        async def answered_between(self, ops: list[Op]) -> int:
            await follow(self, ops)
            return self.n

        @update
        def answered_now(self, ops: list[Op]) -> int:
            for op in ops:
                at_once(self, op)
            return self.n

        @timer
        def tick(self, k: int) -> None:
            self.log.append(1000 + k)
            if k == 2:
                raise ValueError("tick")

        @timer(interleave=True)
        async def tock(self, k: int) -> None:
            self.log.append(await patient(k))

        @query
        def look(self) -> int:
            return self.n

        if kind != "none":

            @main(restartable=kind == "restartable")
            async def course(self) -> int:
                self.n += 1
                if kind == "fails":
                    raise ValueError("main")
                await af.wait_until(lambda: self.n % 5 == 4)
                self.log.append(await patient(55))
                if kind == "continues" and self.n < 40:
                    await af.continue_as_new()
                while kind != "ends" and self.n < 60:
                    await af.wait_until(lambda: self.n % 7 == 3, timeout=3 * SECOND)
                    self.n += 1
                return self.n

    return Program


with warnings.catch_warnings():
    # Swallowing Cancelled is on purpose; the lint is right about it.
    warnings.simplefilter("ignore", af.NondeterminismWarning)
    ENTITIES = {kind: _program_of(kind) for kind in MAINS}


# ---- what the world does -----------------------------------------------------------------------------


@frozen
class Message:
    """A signal or an update; from inside, it has a sender in the same store."""

    handler: str
    ops: list[Op]
    id: str | None
    inside: bool


@frozen
class Malformed:
    """A message that does not fit its handler, or of which there is no handler any more."""

    handler: str
    body: bytes
    inside: bool


@frozen
class Answer:
    """One of the effects that are outstanding ends; a timer fires, a sleep is over."""

    which: int
    how: str
    body: bytes


@frozen
class Late:
    """An effect that has ended is answered again."""

    which: int


@frozen
class Pass:
    """Time passes, or the clock is set back."""

    seconds: int


@frozen
class Cancel: ...


@frozen
class Terminate: ...


@frozen
class Start:
    if_running: str
    if_completed: str
    id: str | None
    inside: bool
    delay: int | None
    timeout: int | None


@frozen
class Retry:
    which: int


@frozen
class Drop:
    which: int


@frozen
class Discharge: ...


Move = Message | Malformed | Answer | Late | Pass | Cancel | Terminate | Start | Retry | Drop | Discharge


@frozen
class Program:
    """What happens to one actor from first to last."""

    main: str
    strict: bool
    moves: list[Move]


# ---- strategies --------------------------------------------------------------------------------------


def _op(names: list[str] | tuple[str, ...], most: int = 4) -> st.SearchStrategy[Op]:
    return st.builds(Op, st.sampled_from(names), st.integers(0, most))


def _one_in(n: int) -> st.SearchStrategy[bool]:
    return st.integers(1, n).map(lambda drawn: drawn == n)


usual = _op(["inc", "log", "arm", "disarm", "tock", "send"])
plain = usual | usual | usual | _op([name for name in PLAIN if name not in STRANGE])
plain |= _one_in(6).flatmap(lambda strange: _op(STRANGE) if strange else usual)
instructions = st.recursive(
    _op(WAITING, 6) | plain,
    lambda inner: st.builds(
        Op, st.sampled_from(AROUND), st.integers(0, 2), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
ids = _one_in(4).flatmap(lambda named: st.sampled_from(["i1", "i2", "i3"]) if named else st.none())
OPEN = ["exclusive", "between", "stopping", "answered", "answered_between"]
messages = st.builds(Message, st.sampled_from(OPEN), st.lists(instructions, max_size=4), ids, _one_in(4))
short_messages = st.builds(
    Message,
    st.sampled_from(["now", "stopping", "answered_now"]),
    st.lists(plain, max_size=3),
    ids,
    _one_in(4),
)
malformed = st.builds(
    Malformed,
    st.sampled_from(["now", "exclusive", "answered", "answered_now", "gone"]),
    st.sampled_from([pack(["text"]), pack([]), pack([[["inc", "text", []]]]), b"", b"\xc1"]),
    st.booleans(),
)
FAILURES = [
    (facts.FAILED, pack_failure(ValueError("world"))),
    (facts.FAILED, b"\xc1"),
    (facts.CANCELLED, b""),
    (facts.TIMED_OUT, b""),
    (facts.OK, pack("text")),
    (facts.OK, b""),
    (facts.OK, b"\xc1"),
]
good_answers = st.builds(Answer, st.integers(0, 9), st.just(facts.OK), st.integers(0, 8).map(pack))
bad_answers = st.builds(lambda which, end: Answer(which, *end), st.integers(0, 9), st.sampled_from(FAILURES))
starts = st.builds(
    Start,
    st.sampled_from(["fail", "use"]),
    st.sampled_from(["fail", "new"]),
    ids,
    st.booleans(),
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 9),
)
passing = st.builds(Pass, st.integers(-2, 6))
repairs = st.builds(Retry, st.integers(0, 3)) | st.builds(Drop, st.integers(0, 3))
rarely: st.SearchStrategy[Move] = st.one_of(
    malformed,
    starts,
    repairs,
    st.builds(Late, st.integers(0, 9)),
    st.sampled_from([Cancel(), Terminate(), Pass(1), Pass(9), Discharge(), Discharge()]),
)
moves: st.SearchStrategy[Move] = st.one_of(
    messages,
    messages,
    messages,
    short_messages,
    good_answers,
    good_answers,
    good_answers,
    bad_answers,
    passing,
    rarely,
)


def programs() -> st.SearchStrategy[Program]:
    """Programs, twice as long in a long search."""
    longest = 2 * settings().stateful_step_count
    lengths = st.integers(1, longest)
    several = lengths.flatmap(lambda length: st.lists(moves, min_size=length, max_size=length))
    return st.builds(Program, st.sampled_from(["none", "none", *MAINS]), st.booleans(), several)
