"""Random programs against the core: whatever is done to an actor, its journal says the same as it does."""

from __future__ import annotations

import gc
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings

from actorflow._core import closing, facts, phases
from actorflow._core import snapshot as snapshots
from actorflow._core.actor import Actor
from actorflow._core.ambient import ambient
from actorflow._core.facts import Input
from actorflow._core.image import differences, image
from actorflow._core.once import Known
from actorflow._core.outstanding import Armed, Waking, outstanding
from actorflow._core.quiet import quiet, silence
from actorflow._core.replay import rebuild, replay
from actorflow._core.snapshot import restore, snapshot
from actorflow._core.step import Turn, advance, step
from actorflow.errors import ActorflowError, FaultError, UsageError
from tests.core import programs as p
from tests.core.proof import vacant

SECOND_US = 1_000_000
ADVANCES_MAX = 300
SENDER = ("Elsewhere", "e", 1, 0)

pytestmark = pytest.mark.filterwarnings(
    # What gather() and race() were given and had not begun is dropped with the rest, and Python says so.
    "ignore:.*was never awaited",
    "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning",
)

searching = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""Programs are big; that is what they are for."""


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """What a test dropped is gone before the next one begins."""
    yield
    gc.collect()


def newborn(program: p.Program) -> Actor:
    """The actor that the program begins with."""
    actor = vacant(p.ENTITIES[program.main], "k", b"nonce of random.")
    actor.strict = program.strict
    return actor


def look(actor: Actor) -> dict[str, Any]:
    """All that can be observed; ids beyond their window cannot; a state without bytes is shown as text."""
    state = actor.state
    try:
        seen = image(actor)
    except ActorflowError:
        actor.state = None
        # An int in a float field is a float once it has been stored, and nothing tells when that was.
        seen = {**image(actor), "state": repr(attrs.evolve(state, ratio=float(state.ratio)))}
        actor.state = state
    seen["ids"] = {id_: known for id_, known in seen["ids"].items() if actor.ids.find(id_, actor.now)}
    return seen


class Course:
    """One program played against an actor, and what was recorded."""

    def __init__(
        self,
        program: p.Program,
        *,
        after_each: Callable[[Course], None] = lambda course: None,
        without: Container[int] = (),
        watching: bool = False,
    ) -> None:
        self.program = program
        self.actor = newborn(program)
        self.now = 10**15
        self.records: list[bytes] = []
        self.watching = watching
        self.images: list[dict[str, Any]] = []
        """With ``watching``, what the actor looked like after each record."""
        self.places: list[tuple[int, bytes, dict[str, Known]]] = []
        """With ``watching``, the snapshots that could be taken, each with its record's number and the ids."""
        self.traceless: set[int] = set()
        """The moves that came to nothing."""
        self.fault: FaultError | None = None
        self._ended: list[facts.Ref] = []
        for number, move in enumerate(program.moves):
            if number in without:
                continue
            before = len(self.records), self.now
            self._make(move)
            if before == (len(self.records), self.now) and self.fault is None:
                self.traceless.add(number)
            after_each(self)
            if self.fault is not None:
                return
        for _ in outstanding(self.actor):
            self._make(p.Answer(0, facts.OK, b"\x01"))
            after_each(self)
            if self.fault is not None:
                return

    # -- moves ---------------------------------------------------------------------------------------------

    def _make(self, move: p.Move) -> None:
        actor, spec = self.actor, self.actor.spec
        match move:
            case p.Message(handler=name, ops=ops, id=id_, inside=inside):
                if actor.phase == phases.CLOSED and id_ is None and not inside:
                    # Or else long programs would be idle.
                    self._make(p.Start("fail", "new", None, inside=False, delay=None, timeout=None))
                handler = spec.handlers[name]
                self._give(
                    Input(
                        handler.kind, name, handler.encode((ops,), {}), id_, None, SENDER if inside else None
                    )
                )
            case p.Malformed(handler=name, body=body, inside=inside):
                kind = facts.UPDATE if name.startswith("answered") else facts.SIGNAL
                self._give(Input(kind, name, body, None, None, SENDER if inside else None))
            case p.Answer():
                self._answer(move)
            case p.Late(which=which):
                if self._ended:
                    ref = self._ended[which % len(self._ended)]
                    self._give(Input(facts.RESOLVE, facts.OK, b"\x01", ref=ref))
            case p.Pass(seconds=seconds):
                self.now += seconds * SECOND_US
            case p.Cancel():
                self._give(Input(facts.CANCEL))
            case p.Terminate():
                self._give(Input(facts.TERMINATE))
            case p.Start(id=id_, inside=inside):
                state = spec.dump(spec.cls(n=3))
                options = (move.if_running, move.if_completed, _after(move.delay), _after(move.timeout))
                self._give(Input(facts.START, "", state, id_, None, SENDER if inside else None, options))
            case p.Retry(which=which) | p.Drop(which=which):
                kind = facts.RETRY if isinstance(move, p.Retry) else facts.DROP
                parked = [*actor.parked, 999]
                self._give(Input(kind, ref=(parked[which % len(parked)], 0)))
            case p.Discharge():
                self._give(Input(facts.DISCHARGE, ref=(next(iter(actor.debts), 999), 0)))

    def _answer(self, move: p.Answer) -> None:
        waiting = outstanding(self.actor)
        if not waiting:
            return
        ref, what, _ = waiting[move.which % len(waiting)]
        before = len(self.records)
        if isinstance(what, Armed):
            self.now = max(self.now, what.due)
            self._give(Input(facts.FIRE, what.name, what.body, ref=ref))
        elif isinstance(what, Waking | facts.Sleep):
            self.now = max(self.now, what.due)
            self._give(Input(facts.RESOLVE, facts.OK, ref=ref))
        else:
            self._give(Input(facts.RESOLVE, move.how, move.body, ref=ref))
        if len(self.records) > before:
            self._ended.append(ref)

    # -- steps, each with what always holds ------------------------------------------------------------------

    def _give(self, input_: Input) -> None:
        before = look(self.actor)
        try:
            turn = step(self.actor, input_, self.now)
        except UsageError as error:
            assert input_.kind != facts.SIGNAL or input_.sender is None, f"a sender inside was told {error!r}"  # noqa: PT017 - one of three ways
            assert differences(before, look(self.actor)) == [], f"{error!r} left a trace"  # noqa: PT017 - the same
            return
        except FaultError as error:
            self._set_aside(error, before)
            return
        if turn.record is None:
            assert differences(before, look(self.actor)) == [], f"{turn} left a trace"
        self._stand(turn)
        self._advance()
        assert (ambient.actor, ambient.dying) == (None, 0)
        stopped = self.actor.stopped
        assert stopped is None or stopped in self.actor.parked, "what holds the mailbox is there to be seen"

    def _advance(self) -> None:
        for _ in range(ADVANCES_MAX):
            before = look(self.actor)
            try:
                turn = advance(self.actor, self.now)
            except FaultError as error:
                self._set_aside(error, before)
                return
            if turn is None:
                return
            self._stand(turn)
        raise AssertionError("advance never comes to an end")

    def _set_aside(self, error: FaultError, before: dict[str, Any]) -> None:
        """Strict mode says what is wrong with the code; nothing of that turn happened."""
        assert self.program.strict, f"without strict mode {error!r}"
        assert self.actor.broken is None, f"{error!r} broke the actor"
        assert differences(before, look(self.actor)) == [], f"{error!r} left a trace"
        self.fault = error

    def _stand(self, turn: Turn) -> None:
        if turn.record is None:
            return
        self.records.append(turn.record)
        if not self.watching:
            return
        self.images.append(look(self.actor))
        if quiet(self.actor):
            try:
                taken = snapshot(self.actor)
            except ActorflowError:
                assert not self.program.strict, "in strict mode every state can be stored"
            else:
                self.places.append((len(self.records), taken, self.actor.ids.entries()))


def _after(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * SECOND_US


def undo(course: Course) -> None:
    """Go back to the base and forward again, as a turn that fails does."""
    before = look(course.actor)
    rebuild(course.actor)
    assert differences(before, look(course.actor)) == []


def passivate(course: Course) -> None:
    """Drop the actor and make it again from its journal."""
    before = look(course.actor)
    silence(course.actor)
    course.actor = newborn(course.program)
    replay(course.actor, course.records)
    assert differences(before, look(course.actor)) == []


@contextmanager
def bases_from(size: int) -> Iterator[None]:
    """Take a base whenever the tail has this many bytes."""
    usual, snapshots.BASE_BYTES_MIN = snapshots.BASE_BYTES_MIN, size
    try:
        yield
    finally:
        snapshots.BASE_BYTES_MIN = usual


@contextmanager
def slices_of(size: int) -> Iterator[None]:
    """Close in slices that small programs fill."""
    usual, closing.SLICE = closing.SLICE, size
    try:
        yield
    finally:
        closing.SLICE = usual


# ---- the properties ----------------------------------------------------------------------------------


@searching
@given(p.programs())
def test_every_prefix_of_the_journal_is_the_actor_as_it_was_then(program: p.Program) -> None:
    """What was live is what replaying its bytes gives, after every record."""
    with slices_of(2):
        course = Course(program, watching=True)
        fresh = newborn(program)
        for record, then in zip(course.records, course.images, strict=True):
            replay(fresh, [record])
            assert differences(then, look(fresh)) == []


@searching
@given(p.programs())
def test_a_snapshot_at_any_quiet_place_and_the_tail_are_the_whole(program: p.Program) -> None:
    """Where a snapshot is taken does not matter: it is what was live, with what came after all there is."""
    with slices_of(2):
        course = Course(program, watching=True)
        for count, taken, ids in course.places[:: 1 + len(course.places) // 6]:
            resumed = newborn(program)
            restore(resumed, taken)
            for id_, known in ids.items():
                resumed.ids.remember(id_, known)
            assert differences(course.images[count - 1], look(resumed)) == []
            replay(resumed, course.records[count:])
            assert differences(course.images[-1], look(resumed)) == []


@searching
@given(p.programs())
def test_what_came_to_nothing_leaves_no_trace(program: p.Program) -> None:
    """Without the messages that were refused, repeated, or too late, the same bytes are recorded."""
    course = Course(program)
    assert course.records == Course(program, without=course.traceless).records


@searching
@given(p.programs())
def test_undoing_changes_nothing(program: p.Program) -> None:
    """An actor that goes back to its base after every move records the same bytes as one that never does."""
    assert Course(program).records == Course(program, after_each=undo).records


@searching
@given(p.programs())
def test_the_cadence_of_bases_does_not_matter(program: p.Program) -> None:
    """A base at every quiet record, now and then, or never: the same bytes are recorded."""
    course = Course(program)
    usual = course.records
    for size in (0, 1 << 60):
        with bases_from(size):
            assert usual == Course(program).records


@searching
@given(p.programs())
def test_passivation_does_not_matter(program: p.Program) -> None:
    """An actor that leaves memory after every message records the same bytes as one that stays."""
    assert Course(program).records == Course(program, after_each=passivate).records


def test_the_programs_go_everywhere() -> None:
    """The search is worth its name: its programs meet every input, every outcome, every effect, every end."""
    seen: set[str] = set()

    @settings(searching, max_examples=250, derandomize=True, database=None)
    @given(p.programs())
    def search(program: p.Program) -> None:
        with slices_of(2):
            course = Course(program)
        unpack = course.actor.spec.codec.unpack_record
        for record in map(unpack, course.records):
            seen.add(facts.OUTCOMES[record.outcome])
            seen.update(type(effect).__name__ for effect in record.effects)
            seen.update(record.extra or ())
            if record.input is not None:
                seen.add(facts.KINDS[record.input.kind])
        seen.add(course.actor.status)
        if course.fault is not None:
            seen.add(type(course.fault).__name__)

    search()
    wanted = {*facts.OUTCOMES.values(), *facts.KINDS.values()} | {
        one.__name__ for one in facts.EFFECTS.values()
    }
    wanted |= {facts.MARKS, facts.STOPPED, facts.ERROR, "completed", "failed", "cancelled", "terminated"}
    # These take several rare things at once; the traces have them.
    assert wanted - {"stale", "discharge"} | {"NondeterminismError", "Unstorable"} <= seen
