"""What once went wrong in the core, each as the smallest story that showed it."""

# Long because every finding has a story of its own.

from __future__ import annotations

import gc
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

import actorflow as af
from actorflow import Refused, activity, entity, main, query, signal, timer, update
from actorflow._core import facts
from actorflow._core.ambient import ambient
from actorflow._core.facts import Input
from actorflow._core.image import differences, image
from actorflow._core.quiet import silence
from actorflow._core.replay import rebuild, replay
from actorflow._core.snapshot import refresh_base, restore, snapshot
from actorflow._core.step import advance, ask, examine, step
from actorflow.limits import Limits
from actorflow.testing import Scenario
from tests.core.proof import bare, run, sent
from tests.core.shop import act, other

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@entity
class Counter:
    """The plainest entity, with a bit of everything."""

    n: int = 0

    @signal
    def inc(self) -> None:
        self.n += 1

    @signal
    def bad(self) -> None:
        raise ValueError("bad")

    @signal
    async def hold(self) -> None:
        await act(1)

    @update
    def refused(self) -> int:
        raise Refused("no")

    @update
    def count(self) -> int:
        return self.n


@entity
class Line:
    """A child, or somebody to ask."""

    sku: str = ""

    @update
    def ask(self) -> int:
        return 1


OK = Input(facts.RESOLVE, facts.OK, b"\x01", ref=(1, 0))

# ---- every failure can be recorded -------------------------------------------------------------------


class Textless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    @property
    def details(self) -> object:
        raise RuntimeError("no details")


def test_an_error_without_a_text_parks_its_message() -> None:
    """An error whose own str() raises is recorded all the same, before a suspension and after one."""

    @entity
    class Awkward:
        @signal
        def bad(self) -> None:
            raise Textless

        @update
        async def late(self) -> int:
            await act(1)
            raise Textless

    scenario = Scenario(Awkward)
    late = scenario.update(Awkward.late)
    scenario.signal(Awkward.bad)
    scenario.answer(act, 1)
    with pytest.raises(af.HandlerFailed, match="Textless"):
        _ = late.value
    assert "Textless" in scenario.parked[0].error


@pytest.mark.parametrize(
    "error",
    [ValueError("\ud800"), Refused("no", {"x": {1}, 1: object()}), Refused(ValueError("x"))],  # type: ignore[arg-type]
)
def test_an_error_of_any_shape_parks_its_message(error: Exception) -> None:
    """Lone surrogates, details that are not plain and a reason that is no text are recorded as text."""

    @entity
    class Awkward:
        @signal
        def bad(self) -> None:
            raise error

    scenario = Scenario(Awkward)
    scenario.signal(Awkward.bad)
    assert type(error).__name__ in scenario.parked[0].error


@pytest.mark.parametrize(
    "mistake", [lambda: af.sleep(timedelta.max), lambda: af.wait_until(lambda: False, timeout=timedelta.max)]
)
def test_a_time_beyond_reckoning_is_a_usage_error_in_the_handler(mistake: Callable[[], Any]) -> None:
    """``sleep(timedelta.max)`` parks its message with a clear text; the actor goes on."""

    @entity
    class Patient:
        n: int = 0

        @signal
        async def go(self) -> None:
            await mistake()

        @signal
        def inc(self) -> None:
            self.n += 1

    scenario = Scenario(Patient)
    scenario.signal(Patient.go)
    scenario.signal(Patient.inc)
    assert "UsageError" in scenario.parked[0].error
    assert "1000 years" in scenario.parked[0].error
    assert scenario.state.n == 1


def test_a_message_whose_arguments_no_longer_fit_is_parked() -> None:
    """A message that waited while its handler's parameters changed is parked; what waits behind it runs."""

    def under(kind: type) -> type[Any]:
        @entity(name="Box")
        class Box:
            n: int = 0

            @signal
            async def hold(self) -> None:
                await act(1)

            @signal
            def put(self, x: kind) -> None:  # type: ignore[valid-type]
                self.n += 1

            @signal
            def inc(self) -> None:
                self.n += 10

        return Box

    old, new = under(int), under(str)
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.hold)
    scenario.signal(old.put, 3)
    scenario.signal(old.inc)
    scenario.restart(new)
    scenario.answer(act, 1)
    assert (scenario.state.n, [one.handler for one in scenario.parked]) == (10, ["put"])


# ---- promises that several await ---------------------------------------------------------------------


@entity
class Awaits:
    """Starts children and asks, and notes what came."""

    out: list[str] = field(factory=list)
    token: str = ""

    @signal
    async def two_children(self) -> None:
        a, b = af.start_child(Line("a"), "a"), af.start_child(Line("b"), "b")
        self.out += [repr(await a.result(int)), repr(await b.result(int))]

    @signal
    async def child_again(self) -> None:
        child = af.start_child(Line("a"), "a")
        self.out.append(str((await af.race(child.result(int), af.sleep(SECOND))).index))
        self.out.append(repr(await af.gather(child.result(int), child.result(int))))

    @signal
    async def callback_again(self) -> None:
        answer = af.callback(int, timeout=None)
        self.token = answer.token
        self.out.append(str((await af.race(answer, af.sleep(SECOND))).index))
        self.out.append(repr(await af.gather(answer, answer)))

    @signal
    async def typed(self) -> None:
        try:
            await af.start_child(Line("a"), "a").result(int)
        except af.WrongAnswer as error:
            self.out.append(type(error).__name__)

    @signal
    async def all_of_them(self) -> None:
        try:
            await af.fan_out({"a": Line("a"), "b": Line("b"), "c": Line("c")})
        except af.ChildFailed as error:
            self.out.append(error.child)

    @signal
    async def remote(self) -> None:
        try:
            await act(1)
        except af.ActivityFailed as error:
            self.out.append(error.type)

    @signal
    async def racing(self) -> None:
        winner = await af.race(act(1), other(2))
        self.out.append(f"{winner.index} {winner.value}")


def test_children_may_end_in_any_order() -> None:
    """A result that comes before it is awaited is kept."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.two_children)
    scenario.answer("b", 2)
    scenario.answer("a", 1)
    assert scenario.state.out == ["1", "2"]


def test_a_promise_that_lost_a_race_can_be_awaited_again_by_several() -> None:
    """The result of a child and a callback outlast a race that they lost, for whoever awaits them then."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.child_again)
    scenario.advance(SECOND)
    scenario.answer("a", 5)
    assert scenario.state.out == ["1", "(5, 5)"]

    scenario.signal(Awaits.callback_again)
    scenario.advance(SECOND)
    scenario.resolve(scenario.state.token, 7)
    assert scenario.state.out[2:] == ["1", "(7, 7)"]
    assert (scenario.open, scenario.waiting) == ([], [])


def test_an_answer_of_the_wrong_type_is_its_waiters_trouble() -> None:
    """A child's result that is not of the type asked for raises WrongAnswer where it is awaited."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.typed)
    scenario.answer("a", "text")
    assert scenario.state.out == ["WrongAnswer"]


def test_no_answer_is_no_int() -> None:
    """A child that ended with nothing has no result of the type asked for."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.typed)
    scenario.resolve_ref((1, 0), facts.OK, b"")
    assert scenario.state.out == ["WrongAnswer"]


def test_the_first_child_to_fail_lets_the_others_be_cancelled() -> None:
    """``fan_out`` tells the other children to end, and raises the first failure."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.all_of_them)
    scenario.fail("a", ValueError("x"))
    told = [(one.key, one.how) for one in scenario.effects if isinstance(one, facts.CloseChild)]
    assert (told, scenario.state.out) == ([("b", "cancel"), ("c", "cancel")], ["Line 'a'"])


def test_a_cancellation_from_outside_is_a_failure_like_others() -> None:
    """What somebody else cancelled is ActivityFailed("Cancelled"), not the cancelling of the handler."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.remote)
    scenario.confirm_cancelled(act)
    assert (scenario.state.out, scenario.status) == (["Cancelled"], "running")


def test_a_race_keeps_its_winner() -> None:
    """How a loser takes being cancelled does not change who has won."""
    scenario = Scenario(Awaits)
    scenario.signal(Awaits.racing)
    scenario.answer(act, 7)
    scenario.fail(other, ValueError("interrupted"))
    assert scenario.state.out == ["0 7"]


def test_a_saga_goes_on_when_a_compensation_is_cancelled_from_outside() -> None:
    """One compensation that could not be done does not stop the others."""

    @entity
    class Buyer:
        @update
        async def go(self) -> int:
            async with af.saga() as undo:
                undo(other, 1)
                undo(act, 2)
                return await act(0)

    scenario = Scenario(Buyer)
    reply = scenario.update(Buyer.go)
    scenario.fail(act, ValueError("x"))
    scenario.confirm_cancelled(act)
    scenario.answer(other, 1)
    with pytest.raises(af.HandlerFailed, match=r"undone other\(1\); not undone act\(2\)"):
        _ = reply.value


# ---- ending and going on -----------------------------------------------------------------------------


@pytest.mark.parametrize("restartable", [False, True])
def test_a_signal_cannot_restart_a_main_that_is_not_restartable(*, restartable: bool) -> None:
    """``continue_as_new`` from another handler is a UsageError, or main would do everything twice."""

    @entity
    class Course:
        starts: int = 0

        @signal
        def go(self) -> None:
            af.continue_as_new()

        @main(restartable=restartable)
        async def course(self) -> None:
            self.starts += 1
            await af.wait_until(lambda: self.starts > 9)

    scenario = Scenario(Course)
    scenario.signal(Course.go)
    scenario.signal(Course.go)
    assert scenario.state.starts == 1 + restartable
    assert [one.error.partition(":")[0] for one in scenario.parked] == ([] if restartable else ["UsageError"])


@pytest.mark.parametrize("records", [1, 2])
def test_a_run_of_one_record_comes_to_an_end(records: int) -> None:
    """With the smallest ``continue_records`` a run closes once, and not for ever again."""

    @entity(limits=Limits(continue_records=records))
    class Short:
        @signal
        def go(self) -> None:
            """Nothing."""

        @main(restartable=True)
        async def course(self) -> None:
            await af.sleep(DAY)

    actor = bare(Short)
    for _ in range(3):
        assert len(run(actor, sent(Short.go))) <= 4


def test_a_main_that_continues_at_once_does_so_once() -> None:
    """A main whose first word is ``continue_as_new`` does not keep the actor busy for ever."""

    @entity
    class Eager:
        @signal
        def go(self) -> None:
            """Nothing."""

        @main
        async def course(self) -> None:
            await af.continue_as_new()

    assert len(run(bare(Eager), sent(Eager.go))) < 6


def stopping(on_failure: Any) -> type[Any]:
    """An entity whose failing signal does this to the mailbox."""

    @entity(name="Stopping")
    class Stopping:
        n: int = 0

        @signal(on_failure=on_failure)
        def bad(self) -> None:
            raise ValueError("x")

        @signal
        def inc(self) -> None:
            self.n += 1

    return Stopping


@pytest.mark.parametrize("how", ["retry", "drop"])
def test_a_mailbox_is_released_also_when_the_policy_has_changed(how: str) -> None:
    """What stopped under ``on_failure="stop"`` can be retried and dropped under ``"park"``, which lets go."""
    old, new = stopping("stop"), stopping("park")
    scenario: Scenario[Any] = Scenario(old)
    for handler in (old.inc, old.bad, old.inc):
        scenario.signal(handler)
    assert scenario.mailbox == ["inc"]
    scenario.snapshot()
    scenario.restart(new)
    getattr(scenario, how)(2)
    assert (scenario.mailbox, scenario.state.n) == ([], 2)
    assert len(scenario.parked) == (how == "retry")


def test_a_mailbox_that_stopped_before_the_first_birth_is_released() -> None:
    """What waits behind a first message that failed and stopped gives birth once that message is dropped."""
    stops = stopping("stop")
    scenario: Scenario[Any] = Scenario(stops)
    scenario.signal(stops.bad)
    scenario.signal(stops.inc)
    scenario.drop(1)
    assert (scenario.mailbox, scenario.status) == ([], "running")


def test_what_was_parked_does_not_stop_because_the_policy_has_changed() -> None:
    """A record says whether a parked message holds the mailbox; today's code does not."""
    old, new = stopping("park"), stopping("stop")
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.bad)
    scenario.restart(new)
    scenario.signal(new.inc)
    assert (scenario.mailbox, scenario.state.n) == ([], 1)


def test_a_signal_from_inside_is_never_refused() -> None:
    """Its sender is past: a full mailbox, a full run and a closed target park it or take it."""

    @entity(limits=Limits(mailbox_messages=1, run_records=3))
    class Full:
        @signal
        async def hold(self) -> None:
            await act(1)

        @signal
        def go(self) -> None:
            """Nothing."""

    actor = bare(Full)
    for input_ in (sent(Full.hold), sent(Full.go), *[sent(Full.go, inside=True)] * 5, Input(facts.TERMINATE)):
        run(actor, input_)
    assert run(actor, sent(Full.go, inside=True))[0].outcome == facts.PARKED


# ---- undo --------------------------------------------------------------------------------------------


def test_an_actor_that_cannot_be_made_again_refuses_with_its_fault() -> None:
    """When undoing diverges, no half-made actor goes on: it says why, to everybody."""
    calls = iter(range(100))

    @entity
    class Fickle:
        @signal
        def go(self) -> None:
            if next(calls) > 1:
                af.complete("otherwise")

        @update
        def no(self) -> int:
            raise Refused("no")

        @query
        def look(self) -> int:
            return 1

    actor = bare(Fickle)
    run(actor, sent(Fickle.go))
    run(actor, sent(Fickle.go))
    unknown = sent(Fickle.go, inside=True)._replace(name="gone")
    from_inside = sent(Fickle.go, inside=True)
    for input_ in (sent(Fickle.no), sent(Fickle.go), from_inside, unknown, Input(facts.TERMINATE)):
        with pytest.raises(af.Divergence):
            step(actor, input_, 0)
    with pytest.raises(af.Divergence):
        examine(actor, sent(Fickle.go), 0)
    with pytest.raises(af.Divergence):
        ask(actor, "look", b"\x90", 0)


def test_an_undone_turn_changes_no_later_record() -> None:
    """After a refusal the next record is what it would have been without it."""
    refused, calm = bare(Counter, strict=True), bare(Counter, strict=True)
    run(refused, sent(Counter.inc))
    run(calm, sent(Counter.inc))
    run(refused, sent(Counter.refused))
    assert run(refused, sent(Counter.inc)) == run(calm, sent(Counter.inc))


def test_undoing_leaves_ids_and_the_watch_alone() -> None:
    """An id that was let go does not come back, one from before the base stays, and no replay is watched."""
    watched: list[str] = []

    def watch(where: str) -> Callable[[], None]:
        watched.append(where)
        return lambda: None

    counter = bare(Counter)
    counter.guard = watch
    ids = counter.ids
    run(counter, sent(Counter.inc, id_="before"))
    refresh_base(counter)
    for id_ in ("a", "b", "c"):
        run(counter, sent(Counter.inc, id_=id_))
    ids.release("b")
    watched.clear()
    run(counter, sent(Counter.bad))
    assert counter.ids is ids
    assert list(ids.entries()) == ["before", "a", "c"]
    run(counter, sent(Counter.inc))
    assert watched == [Counter.bad.where, Counter.inc.where]


def test_undoing_does_not_move_the_next_digest() -> None:
    """Without strict mode, too: where a digest is written depends on what stands, not on what was undone."""
    actor = bare(Counter)
    for _ in range(3):
        run(actor, sent(Counter.inc))
    before = actor.undigested, actor.digest_at
    rebuild(actor)
    assert (actor.undigested, actor.digest_at) == before


def test_an_actor_that_cannot_be_stored_does_the_same_after_passivation() -> None:
    """Whether a run closes does not depend on whether somebody has tried to write the state down."""

    @entity(limits=Limits(continue_records=3))
    class Huge:
        n: int = 0

        @signal
        def become(self, huge: bool) -> None:
            self.n = 1 << 80 if huge else 1

    resident, passive = bare(Huge), bare(Huge)
    small, huge = sent(Huge.become, False), sent(Huge.become, True)
    turns = [turn for _ in range(2) for turn in run(resident, small)]
    replay(passive, [turn.record for turn in turns if turn.record is not None])
    assert len(run(resident, huge)) == len(run(passive, huge))


def test_an_actor_that_cannot_be_stored_does_the_same_with_and_without_bases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether a run closes does not depend on whether somebody has tried to write the state down."""

    @entity(limits=Limits(continue_records=10))
    class Huge:
        n: int = 0

        @signal
        def become(self, huge: bool) -> None:
            self.n = 1 << 80 if huge else 1

    turns: list[int] = []
    for size in (0, 1 << 60):
        monkeypatch.setattr("actorflow._core.snapshot.BASE_BYTES_MIN", size)
        actor = bare(Huge)
        turns.append(sum(len(run(actor, sent(Huge.become, huge))) for huge in (False, False, *[True] * 8)))
    assert turns[0] == turns[1]


@pytest.mark.filterwarnings("ignore::actorflow.NondeterminismWarning")
def test_what_is_dropped_can_do_nothing() -> None:
    """Generators that a handler left behind wake in the collector, in another actor's turn: in vain."""
    woken: list[int] = []

    @entity
    class Leaves:
        @signal
        async def go(self) -> None:
            def cleanup() -> Any:
                try:
                    yield
                finally:
                    woken.append(ambient.dying)
                    self.late().arm(after=SECOND)
                    af.complete("x")

            kept = cleanup()
            next(kept)
            await af.sleep(DAY)
            del kept

        @timer
        def late(self) -> None:
            """Nothing."""

        @signal(interleave=True)
        def collect(self) -> None:
            gc.collect()

    dropped, living = bare(Leaves), bare(Leaves)
    run(dropped, sent(Leaves.go))
    run(dropped, Input(facts.TERMINATE))
    run(living, sent(Leaves.go))
    before = len(living.timers)
    run(living, sent(Leaves.collect))
    assert (woken, before, living.timers, living.phase, ambient.dying) == ([1], 0, {}, 1, 0)


def test_what_was_not_begun_is_dropped_in_silence() -> None:
    """Branches that a gather had not begun when their actor left memory do not warn about it."""

    @entity
    class Branches:
        @signal
        async def go(self) -> None:
            async def waits() -> None:
                await act(1)

            await af.gather(waits(), waits(), waits(), at_most=1)

    actor = bare(Branches)
    run(actor, sent(Branches.go))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        silence(actor)
        gc.collect()
    assert [str(one.message) for one in said] == []


@pytest.mark.filterwarnings("ignore::actorflow.NondeterminismWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python says so of it, too
def test_a_handler_that_swallows_everything_can_be_dropped() -> None:
    """``while True: try: await ... except BaseException: pass`` does not keep its thread from going on."""
    spun = 0

    @entity
    class Deaf:
        @signal
        async def go(self) -> None:
            nonlocal spun
            while spun < 5_000:
                spun += 1
                try:  # noqa: SIM105 - the mistake as authors write it
                    await af.sleep(SECOND)
                except BaseException:  # noqa: BLE001, S110 - that is the mistake
                    pass

    actor = bare(Deaf)
    run(actor, sent(Deaf.go))
    silence(actor)
    assert (spun < 5_000, ambient.dying) == (True, 0)


# ---- replay under other code, limits and releases ----------------------------------------------------


def test_a_digest_is_compared_after_a_snapshot() -> None:
    """The snapshot says under which code it was taken, so that the digests behind it still count."""
    actor, resumed = bare(Counter, strict=True), bare(Counter, strict=True)
    run(actor, sent(Counter.inc))
    restore(resumed, snapshot(actor))
    (turn,) = run(actor, sent(Counter.inc))
    assert turn.record is not None
    codec = actor.spec.codec
    record = codec.unpack_record(turn.record)._replace(extra={facts.DIGEST: b"another"})
    with pytest.raises(af.Divergence, match="the state"):
        replay(resumed, [codec.pack_record(tuple(record))])


def test_a_journal_of_a_newer_engine_is_refused() -> None:
    """A release does not guess at what a later one wrote."""
    actor = bare(Counter)
    (turn,) = run(actor, sent(Counter.inc))
    assert turn.record is not None
    codec = actor.spec.codec
    record = codec.unpack_record(turn.record)
    newer = record._replace(extra={**(record.extra or {}), facts.ENGINE: 99})
    with pytest.raises(af.DecodeError, match="engine 99"):
        replay(bare(Counter), [codec.pack_record(tuple(newer))])


def grown(*, new: bool) -> type[Any]:
    """An entity, its timer, its activity and a class in its effects, before and after a change of code."""

    @define
    class Item:
        quantity: int = 0
        if new:
            gift: bool = False

    @activity(name="pay" if new else "charge", aliases=["charge"] if new else [])
    async def charge(item: Item) -> int:
        return item.quantity

    @entity(name="Child")
    class Child:
        n: int = 0
        if new:
            gift: bool = False

        @signal
        def poke(self) -> None:
            """Nothing."""

    @entity(name="Grown")
    class Grown:
        item: Item = field(factory=Item)
        log: list[str] = field(factory=list)

        @signal
        async def go(self) -> None:
            self.log.append("old")
            child = af.start_child(Child(n=1), "c")
            (self.later if new else self.late)().arm(after=DAY)
            await charge(self.item)
            if new:
                self.log.append("new" if af.patched("x") else "old")
            await child.result(None)

        if new:

            @timer(aliases=["late"])
            def later(self) -> None:
                self.log.append("rang")
        else:

            @timer
            def late(self) -> None:
                self.log.append("rang")

    return Grown


def test_code_that_grew_replays_the_tail_of_the_old() -> None:
    """Aliases and fields with defaults are no divergence; ``patched`` is no in what began under old code."""
    old, new = grown(new=False), grown(new=True)
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.go)
    scenario.restart(new)
    (call,) = [one for one in scenario.waiting if one.kind == "activity"]
    scenario.answer(call, 1)
    scenario.answer("c", None)
    assert scenario.state.log == ["old", "old"]
    scenario.advance(DAY)
    assert scenario.state.log == ["old", "old", "rang"]


def test_another_default_for_a_time_out_is_no_divergence() -> None:
    """Limits may be changed under a tail: what was asked for stays as it was asked for."""

    def asking(limits: Limits) -> type[Any]:
        @entity(name="Asking", limits=limits)
        class Asking:
            @signal
            async def go(self) -> None:
                await af.actor(Line, "b").update(Line.ask)

        return Asking

    old = asking(Limits())
    scenario: Scenario[Any] = Scenario(old)
    scenario.signal(old.go)
    due = scenario.waiting[0].due
    scenario.restart(asking(Limits(ask_timeout=10 * SECOND)))
    assert scenario.waiting[0].due == due


def test_a_text_that_differs_on_replay_is_the_recorded_one() -> None:
    """The text of an error may hold an address: what callers are told, again too, is what is recorded."""

    @entity
    class Vague:
        @update
        async def go(self) -> int:
            await act(1)
            raise ValueError(f"bad {object()!r}")

    actor, again = bare(Vague), bare(Vague)
    turns = run(actor, sent(Vague.go, id_="i")) + run(actor, OK)
    replay(again, [turn.record for turn in turns if turn.record is not None])
    assert differences(image(actor), image(again)) == []


# ---- once-ids ----------------------------------------------------------------------------------------


def test_the_id_of_a_start_is_remembered() -> None:
    """The same start with the same id is one start."""
    actor = bare(Counter)
    start = Input(facts.START, "", actor.spec.dump(Counter()), "id-1", options=("fail", "fail"))
    run(actor, start)
    assert step(actor, start, 0).fate == "answer"


def test_the_id_of_an_update_that_never_ran_is_free() -> None:
    """A life that ends before an update's turn came leaves its id to the next life."""
    scenario = Scenario(Counter)
    scenario.signal(Counter.hold)
    unheard = scenario.once("x").update(Counter.count)
    scenario.terminate()
    with pytest.raises(af.ActorCompleted):
        _ = unheard.value
    scenario.start(Counter(n=5), if_completed="new")
    assert scenario.once("x").update(Counter.count).value == 5


# ---- what does not come to an end ---------------------------------------------------------------------


def test_many_waiting_signals_that_fail_are_drained_in_time() -> None:
    """The cost of a failure does not grow with how many have failed or wait."""

    @entity(limits=Limits(parked_messages=10_000))
    class Failing:
        @signal
        async def hold(self) -> None:
            await act(1)

        @signal
        def bad(self) -> None:
            raise ValueError("x")

    actor = bare(Failing)
    run(actor, sent(Failing.hold))
    for _ in range(4_000):
        step(actor, sent(Failing.bad), 0)
    began = time.thread_time()
    step(actor, OK, 0)
    while advance(actor, 0) is not None:
        pass
    assert len(actor.parked) == 4_000
    # A twentieth of this where nobody counts branches; with a cost that grows, several times as much.
    assert time.thread_time() - began < 20


def test_a_loop_that_never_waits_is_reported() -> None:
    """``while True: await wait_until(lambda: True)`` raises Runaway, and is undone."""

    @entity
    class Loops:
        n: int = 0

        @signal
        async def go(self) -> None:
            while self.n < 200_000:  # without end, but that a test has to have one
                self.n += 1
                await af.wait_until(lambda: True)

    actor = bare(Loops)
    with pytest.raises(af.Runaway):
        step(actor, sent(Loops.go), 0)
    assert (actor.phase, actor.open, actor.seq) == (0, {}, 0)


def test_a_loop_of_tasks_that_never_wait_is_reported() -> None:
    """A loop around ``gather()`` of what waits for nothing raises Runaway."""

    @entity
    class Gathers:
        n: int = 0

        @signal
        async def go(self) -> None:
            while self.n < 200_000:
                self.n += 1
                await af.gather(af.wait_until(lambda: True), af.wait_until(lambda: True))

    with pytest.raises(af.Runaway):
        step(bare(Gathers), sent(Gathers.go), 0)


# ---- states --------------------------------------------------------------------------------------------


def test_a_default_may_ask_for_the_time() -> None:
    """``field(factory=now)`` is the time at which the life began."""

    @entity
    class Dated:
        born: datetime = field(factory=af.now)

        @signal
        def go(self) -> None:
            """Nothing."""

    scenario = Scenario(Dated)
    scenario.signal(Dated.go)
    assert scenario.state.born == scenario.now


def test_a_query_that_writes_is_told_so_and_undone() -> None:
    """In strict mode a query that changes the state raises WriteInReading, and the state is as it was."""

    @entity
    class Writes:
        n: int = 0

        @signal
        def go(self) -> None:
            """Nothing."""

        @query
        def look(self) -> int:
            self.n += 1
            return self.n

    scenario = Scenario(Writes)
    scenario.signal(Writes.go)
    with pytest.raises(af.WriteInReading):
        scenario.query(Writes.look)
    assert scenario.state.n == 0
    scenario.signal(Writes.go)


@define
class Part:
    n: int = 0


@entity
class Shapes:
    """Does to its state what a restart would not keep."""

    ratio: float = 0.0
    huge: int = 0
    one: list[Part] = field(factory=list)
    two: list[Part] = field(factory=list)

    @signal
    def int_for_float(self) -> None:
        self.ratio = 1

    @signal
    def shared(self) -> None:
        part = Part()
        self.one.append(part)
        self.two.append(part)

    @signal
    def unstorable(self) -> None:
        self.huge = 1 << 80


@pytest.mark.parametrize("handler", [Shapes.int_for_float, Shapes.shared])
def test_strict_mode_names_what_a_restart_would_change(handler: Any) -> None:
    """An int in a float field and an object that is held twice are faults, and leave no trace."""
    actor = bare(Shapes, strict=True)
    with pytest.raises(af.NondeterminismError):
        step(actor, sent(handler), 0)
    assert (actor.phase, actor.seq) == (0, 0)


def test_a_state_that_cannot_be_stored_is_found() -> None:
    """Strict mode names what made it; without, the actor goes on and can still be ended."""
    strict, loose = bare(Shapes, strict=True), bare(Shapes)
    with pytest.raises(af.Unstorable, match="huge"):
        step(strict, sent(Shapes.unstorable), 0)
    assert (strict.phase, strict.seq) == (0, 0)
    run(loose, sent(Shapes.unstorable))
    assert run(loose, sent(Shapes.unstorable))[0].outcome == facts.DONE
    run(loose, Input(facts.TERMINATE))
    assert loose.status == "terminated"


LEFT_BEHIND = """
import gc
from actorflow import activity, entity, gather, main
from actorflow.testing import Scenario

@activity
async def act(n: int) -> None: ...

@entity
class Many:
    @main
    async def course(self) -> None:
        await gather(*(self.one(i) for i in range(40)), at_most=2)

    async def one(self, i: int) -> None:
        await act(i)

many = Scenario(Many, "x")
many.start(Many())
for _ in range(5):
    many.answer(act)
del many
gc.collect()
"""


def test_a_scenario_leaves_no_work_to_the_collector(tmp_path: Path) -> None:
    """Replicas that it compares with are let go of in order; which goes first otherwise is chance."""
    program = tmp_path / "program.py"
    program.write_text(LEFT_BEHIND, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "always", str(program)], capture_output=True, text=True, check=True
    )
    assert "never awaited" not in done.stderr
