"""Does a fan-out that is killed in the middle go on where it was, and is finished work left alone?"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.faults.counting import tried

from .fanned import AT_ONCE, LINE
from .process import Site

KILLED = -9


class Fan(Site):
    """A journal, the file that tells what was done, and the lives of a parent with its children."""

    def __init__(self, folder: Path, seed: int, parts: int, times: int) -> None:
        super().__init__(folder, seed, "", "tests.crash.fanned")
        self.parts = parts
        self.times = times
        self.options = ("--parts", f"{parts}", "--times", f"{times}")

    def killed_after(self, beats: int) -> bool:
        """Live, and be killed after so many beats; False if it came to its end before."""
        with self.working(*self.options) as process:
            if not process.hear_until(lambda one: "o" in one.marks and one.beats >= beats):
                assert process.end().code == 0
                return False
            process.kill()
            assert process.end().code in (KILLED, 0)
            tried()
        return True

    def done(self) -> Counter[tuple[int, int]]:
        """How often each was done."""
        data = self.log.read_bytes() if self.log.exists() else b""
        return Counter(LINE.iter_unpack(data[: len(data) // LINE.size * LINE.size]))


def killed_and_judged(fan: Fan, kills: int, *, forget: bool = False) -> list[str]:
    """Kill it so often, let it come to its end, and say what is wrong with what was done."""
    chance = Random(fan.seed)
    killed = 0
    for _ in range(kills):
        killed += fan.killed_after(chance.randrange(4, 12))
        if forget:
            shutil.rmtree(fan.journal)
    ended = fan.work(*fan.options)
    wrong = [] if ended.code == 0 else [ended.errors or "the sum is wrong"]
    done = fan.done()
    missing = fan.parts * fan.times - len(done)
    again = sum(done.values()) - len(done)
    if missing:
        wrong.append(f"{missing} were not done")
    # What ran when it was killed, and what had ended in the frame that was being written.
    if again > killed * 2 * AT_ONCE:
        wrong.append(f"{again} were done again after {killed} kills")
    return wrong


def test_a_fan_out_that_is_killed_goes_on_where_it_was(tmp_path: Path, seed: int, effort: int) -> None:
    """Whatever was finished is not done again: at most what ran at the time; and nothing is left out."""
    size = (20, 200) if effort == 1 else (100, 1_000)
    assert killed_and_judged(Fan(tmp_path, seed, *size), kills=4 * min(effort, 5)) == []


def test_finished_work_that_is_done_again_is_noticed(tmp_path: Path, seed: int) -> None:
    """The control: whoever forgets what was finished does it again."""
    wrong = killed_and_judged(Fan(tmp_path, seed, 20, 200), kills=4, forget=True)
    assert any("were done again" in one for one in wrong), wrong


@pytest.mark.parametrize("left_out", [0, 1])
def test_the_file_tells_what_was_done(tmp_path: Path, seed: int, left_out: int) -> None:
    """The oracle's eye: every line once, and one that is gone is missed."""
    fan = Fan(tmp_path, seed, 2, 10)
    assert fan.work(*fan.options).code == 0
    data = fan.log.read_bytes()
    fan.log.write_bytes(data[: len(data) - left_out * LINE.size])
    assert len(fan.done()) == 20 - left_out
