"""Would it be noticed?  Rules of the house are broken on purpose, and a world has to say so before long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actorflow._core import facts
from actorflow._core import step as core
from actorflow._runtime.errand import Errand
from actorflow._runtime.errands import Errands
from actorflow._runtime.host import Host
from actorflow._runtime.population import Population
from actorflow._runtime.post import Post
from actorflow._runtime.residency import DURABLE
from actorflow._runtime.rows import pack_frame
from actorflow.testing import Faults, WorldFailed, explore
from persistence import FaultyJournal

from .yard import doers

SEEDS = 60
Patch = pytest.MonkeyPatch


def tells_early(patch: Patch) -> None:
    """Callers are told when a frame is cut, not when it is durable."""
    cut = Population.cut

    def cut_and_done(self: Population, *args: Any, **options: Any) -> Any:
        frame = cut(self, *args, **options)
        frame.done = frame.ended = True
        return frame

    patch.setattr(Population, "cut", cut_and_done)


def tells_queries_early(patch: Patch) -> None:
    """What a query tells need not be durable."""
    look = Host.look
    patch.setattr(Host, "look", lambda self, *args: (DURABLE, look(self, *args)[1]))


def begins_early(patch: Patch) -> None:
    """Attempts of activities begin when a frame is cut."""
    cut = Population.cut

    def cut_and_begin(self: Any, *args: Any, **options: Any) -> Any:
        frame = cut(self, *args, **options)
        begun, frame.begun = frame.begun, []
        self._sim.host.ran.begin(begun)
        return frame

    patch.setattr(Population, "cut", cut_and_begin)


def knows_no_ids(patch: Patch) -> None:
    """The same id is another message."""
    patch.setattr(core, "_known", lambda *_: None)


def forgets_a_frame(patch: Patch) -> None:
    """Recovery leaves out what the last frame of the log holds."""
    read = Population._read

    def read_less(self: Population) -> None:
        frames = list(self.journal.frames())
        if frames:
            frames[-1] = frames[-1][0], pack_frame([])
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self.journal, "frames", lambda: iter(frames))
            read(self)

    patch.setattr(Population, "_read", read_less)


def believes_everybody(patch: Patch) -> None:
    """An answer is taken from an attempt that was given up."""
    ended = Errands.ended
    patch.setattr(
        Errands,
        "ended",
        lambda self, errand, _, ending, now: ended(self, errand, errand.attempt, ending, now),
    )


def fires_early(patch: Patch) -> None:
    """Timers fire three seconds before they are due."""
    wake = Population.wake
    patch.setattr(Population, "wake", lambda self, now, count: wake(self, now + 3_000_000, count))


def swaps_signals(patch: Patch) -> None:
    """What one actor sends another arrives in another order."""
    take = Post.take

    def take_before(self: Post, *args: Any) -> None:
        take(self, *args)
        ways = self.under_way
        if len(ways) > 1 and ways[-1][1].kind == ways[-2][1].kind == facts.SIGNAL:
            ways[-1], ways[-2] = ways[-2], ways[-1]

    patch.setattr(Post, "take", take_before)


def swaps_a_batch(patch: Patch) -> None:
    """The signals of a batch are taken from behind."""
    deliver = Population.deliver_all

    def deliver_from_behind(self: Population, messages: Any, now: int) -> Any:
        return deliver(self, list(messages)[::-1], now)[::-1]

    patch.setattr(Population, "deliver_all", deliver_from_behind)


def knows_no_bound(patch: Patch) -> None:
    """Whoever wants to begin begins."""
    patch.setattr(Errands, "_may_begin", lambda *_: True)


def keeps_rows(patch: Patch) -> None:
    """A row of an activity outlives what it was about."""
    patch.setattr(Errands, "_unnote", lambda *_: None)


def forgets_the_life(patch: Patch) -> None:
    """A key is that of other calls as well."""
    patch.setattr(Errand, "key", property(lambda self: f"{self.ref[1]}"))


def forgets_errands(patch: Patch) -> None:
    """What an actor asked of activities before a crash is not taken up."""
    patch.setattr(Errands, "recover", lambda *_: None)


def lies(patch: Patch) -> None:
    """The disk says that it has what it has not."""
    begin = FaultyJournal.__init__
    patch.setattr(
        FaultyJournal,
        "__init__",
        lambda self, seed=0, **given: begin(self, seed, **{**given, "fsync": False}),
    )


def many() -> None:
    """Run worlds until one fails."""
    for seed in range(SEEDS):
        doers(seed, Faults(hang=0.15)).run(300)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (tells_early, "is not durable"),
        (tells_queries_early, "told what is not durable"),
        (begins_early, "that it is asked for is not durable"),
        (knows_no_ids, "and had it before"),
        (forgets_a_frame, "records are missing|is not what its records say|do not say|had it before"),
        (believes_everybody, "changed something|was given up"),
        (fires_early, "no clock has shown|early"),
        (swaps_signals, "in the wrong order"),
        (swaps_a_batch, "in another order"),
        (knows_no_bound, "attempts of .* run, . may"),
        (keeps_rows, "keeps a row of an activity that is over"),
        (forgets_the_life, "is not the only one"),
        (forgets_errands, "does not come to rest"),
        (lies, "was acknowledged, and is gone"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_broken_rule_is_noticed(rule: Callable[[Patch], None], said: str, monkeypatch: Patch) -> None:
    """Each within sixty worlds, and for what it is; unbroken, the same worlds are fine."""
    rule(monkeypatch)
    with pytest.raises(WorldFailed, match=said):
        many()


def test_without_a_broken_rule_all_is_well(seed: int, effort: int) -> None:
    """What the mistakes above are noticed in holds as it is."""
    assert explore(doers, seeds=range(seed, seed + 20 * effort), steps=300).worlds == 20 * effort
    for number in range(5):
        doers(number, Faults(hang=0.15)).run(300)
