"""What is left after kill -9, at any moment and again and again?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults.counting import tried

from .process import Process, Site, injected, needs_strace
from .workload import LIMITS

Judge = Callable[[Site], None]

KILLED = -9
ROUNDS = 10
UNLINK = "?unlink,unlinkat"  # by whichever name this machine knows it
PLACES = {"open": 1, "note": 9, "commit": 30, "checkpoint": 9, "forget": 2, "closing": 1}
"""Where in the journal's calls a process may die, and how often it comes there at least."""
CALLS = {"pwrite64": 40, "writev": 40, "fdatasync": 20, "ftruncate": 2, UNLINK: 3}
"""Where the kernel may kill it, and how often a process comes there or so."""
OPENING_CALLS = {"pwrite64": 6, "writev": 6, "fdatasync": 6, UNLINK: 3}
MOMENTS = [(side, place) for place in PLACES for side in ("before", "after")]


@pytest.mark.parametrize(("part", "limits"), [(1, "small"), (2, "kept"), (3, "small"), (4, "usual")])
def test_killed_at_any_moment(
    tmp_path: Path, seed: int, effort: int, judged: Judge, part: int, limits: str
) -> None:
    """Killed ten times on the same journal, it has lost and repeated nothing that was acknowledged."""
    for stretch in range(min(effort, 10)):
        folder = tmp_path / str(stretch)
        folder.mkdir()
        site = Site(folder, seed + 100 * stretch + part, limits)
        chance = Random(site.seed)
        for round_ in range(ROUNDS):
            assert killed_after(site, chance.choice((1, 10, 50, 100, 200)) + chance.randrange(30)), (
                f"{site.seed}, round {round_}"
            )
            judged(site)
            tried()


def killed_after(site: Site, beats: int, *options: str) -> bool:
    """Let a process work, and kill it after so many acknowledgements; False if it had ended by itself."""

    def enough(process: Process) -> bool:
        return process.beats >= beats

    with site.working(*options) as process:
        process.hear_until(enough)
        process.kill()
        return process.end().code == KILLED


@pytest.mark.parametrize(("side", "place"), MOMENTS)
def test_killed_at_a_bad_moment(
    site: Site, seed: int, effort: int, judged: Judge, side: str, place: str
) -> None:
    """Killed as it opens, recovers, commits, makes a checkpoint, cuts the log or closes: nothing is lost."""
    chance = Random(f"{seed} {side} {place}")
    assert killed_after(site, 60)
    for _ in range(min(effort, 10)):
        moment = f"{side}-{place}:{chance.randint(1, PLACES[place])}"
        ended = site.work("--die", moment, "--messages", "50")
        assert ended.code == KILLED, f"{moment}: {ended}"
        judged(site)
        tried()
    assert site.work("--messages", "3").code == 0
    judged(site)


@needs_strace
@pytest.mark.parametrize("call", CALLS)
def test_killed_within_a_system_call(site: Site, seed: int, effort: int, judged: Judge, call: str) -> None:
    """Killed by the kernel at one of its writes or syncs, which has then not happened: nothing is lost."""
    chance = Random(f"{seed} {call}")
    for _ in range(2 * min(effort, 25)):
        assert killed_after(site, 30)  # so there is something in log files, and they are removed
        number = chance.randint(1, CALLS[call])
        ended = site.work("--messages", "20", before=injected(call, f"signal=KILL:when={number}"))
        assert ended.code in (KILLED, 0), ended
        judged(site)
        tried(ended.code == KILLED)


@needs_strace
@pytest.mark.parametrize("limits", LIMITS)
def test_killed_again_and_again_as_it_opens_or_closes(
    tmp_path: Path, seed: int, effort: int, judged: Judge, limits: str
) -> None:
    """Killed as what is in log files is moved, and again as that is repeated: nothing is lost, or twice."""
    site = Site(tmp_path, seed, limits)
    chance = Random(f"{seed} {limits}")
    for _ in range(min(effort, 10)):
        assert killed_after(site, chance.randint(1, 300))
        for _ in range(4):
            call, most = chance.choice(list(OPENING_CALLS.items()))
            fault = f"signal=KILL:when={chance.randint(1, most)}"
            ended = site.work("--messages", "0", before=injected(call, fault))
            assert ended.code in (KILLED, 0), ended
            judged(site)
            tried(ended.code == KILLED)
    assert site.work("--messages", "3").code == 0
    judged(site)
