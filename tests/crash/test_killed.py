"""What is left after kill -9, at any moment and again and again?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from .process import Site

Judge = Callable[[Site], None]

KILLED = -9


@pytest.mark.parametrize(("part", "limits"), [(1, "small"), (2, "kept"), (3, "small"), (4, "usual")])
def test_killed_at_any_moment(
    tmp_path: Path, seed: int, effort: int, judged: Judge, part: int, limits: str
) -> None:
    """Killed again and again on the same journal, it has lost and repeated nothing that was acknowledged."""
    site = Site(tmp_path, seed + part, limits)
    chance = Random(site.seed)
    for round_ in range(10 * min(effort, 10)):
        enough = chance.choice((1, 10, 50, 100, 200, 400)) + chance.randrange(20)
        with site.working() as process:
            assert process.hear_until(lambda one, enough=enough: one.beats >= enough), process.end()  # type: ignore[misc]
            process.kill()
            ended = process.end()
        assert ended.code == KILLED, f"round {round_}: {ended}"
        judged(site)
