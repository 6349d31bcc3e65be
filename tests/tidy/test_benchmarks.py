"""Does every benchmark still run, and is what they print true?  How fast anything is, is not asked here.

Each is run at its tiny size.  The frame around them is asked with cases that are made up: what they come to
is known, and some fail, hang, or change their mind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import trio

from benchmarks import __main__ as benchmarks
from benchmarks import _pictures as pictures
from benchmarks._case import Case, Found, Work, at_least, at_most
from tests.tidy.house import ROOT


@pytest.mark.parametrize(
    "argv", [[], *([name, "--size", "tiny", "--rounds", "1"] for name in benchmarks.names())], ids=str
)
def test_no_benchmark_rots(argv: list[str]) -> None:
    """A benchmark that the code has left behind fails here, and not on the day it is needed."""
    assert benchmarks.main(argv) == 0


def test_every_size_has_cases() -> None:
    """Small and full sizes are made of something, and each case of a question has a name of its own."""
    for name in benchmarks.names():
        for size in ("tiny", "small", "full"):
            rows = [str(case) for case in benchmarks.cases(name)(size)]
            assert rows, name
            assert len(set(rows)) == len(rows), f"{name}, {size}"


def test_the_page_knows_every_question() -> None:
    """Whoever reads how to run them finds each of them there."""
    page = (ROOT / "docs/explanation/performance.md").read_text("utf-8")
    missing = [name for name in benchmarks.names() if f"| `{name}` |" not in page]
    assert not missing


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a benchmark that is not there is answered with its name, not with a traceback."""
    with pytest.raises(SystemExit):
        benchmarks.main(["no-such-benchmark"])
    assert "no-such-benchmark" in capsys.readouterr().err


def test_pictures_without_matplotlib_are_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Who wants pictures and cannot have them is told so at once, and how to get them."""
    monkeypatch.setattr(benchmarks, "find_spec", lambda _: None)
    with pytest.raises(SystemExit):
        benchmarks.main(["signals", "--pictures", str(tmp_path)])
    told = capsys.readouterr()
    assert "hint: make bench PICTURES=" in told.err
    assert not told.out


# ---- made-up cases -----------------------------------------------------------------------------------


class Told(NamedTuple):
    """What a made-up question came to."""

    code: int
    rows: list[str]
    kept: list[dict[str, Any]]


Asking = Callable[..., Told]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Asking:
    """Ask a question that is made of these cases."""

    def asked(*cases: Case) -> Told:
        made_up = ModuleType("benchmarks.made_up", "Is it so?\n\nNobody knows.")
        made_up.__dict__["cases"] = lambda _: iter(cases)
        monkeypatch.setitem(sys.modules, "benchmarks.made_up", made_up)
        monkeypatch.setattr(benchmarks, "names", lambda: ["made_up"])
        code = benchmarks.main(["made_up", "--json", str(tmp_path / "kept.json")])
        (question,) = json.loads((tmp_path / "kept.json").read_text("utf-8"))["questions"]
        assert question["question"] == "Is it so?"
        return Told(code, capsys.readouterr().out.splitlines(), question["cases"])

    return asked


def made(ours: Work, **more: Any) -> Case:
    """A case, of one round unless it says otherwise."""
    said: dict[str, Any] = {"where": {"callers": 1, "actors": 1_000}, "unit": "/s", "rounds": 1}
    return Case(**(said | more), ours=ours)


def steady(_: Path, figure: float = 100) -> Found:
    """Always the same."""
    return Found(figure, "all there", {"commits": 7})


def in_turn(figures: Sequence[float], there: Path) -> Work:
    """The next of these figures with each round, which is a process of its own."""

    def work(_: Path) -> Found:
        with there.open("a+", encoding="ascii") as file:
            file.seek(0)
            figure = figures[len(file.read())]
            file.write("x")
        return Found(figure)

    return work


def test_a_row_says_what_was_found(ask: Asking) -> None:
    """A row names the case in words, then ours, the light, the ratio, and what stands beside; JSON too."""
    told = ask(made(steady, light=partial(steady, figure=80)))
    (row,) = [row for row in told.rows if row.startswith("1 caller, 1,000 actors")]
    assert row.split()[4:-1] == ["100/s", "80/s", "1.25", "commits", "7,"]
    (kept,) = told.kept
    assert (kept["figure"], kept["light"], kept["ratio"]) == (100, 80, 1.25)
    assert kept["where"] == {"callers": 1, "actors": 1_000}
    assert row.endswith(kept["result"])
    assert (kept["asked"], kept["kept"]) == (None, None)
    assert "durability: synced before every acknowledgement" in told.rows
    assert told.code == 0


def test_rows_stand_below_each_other(ask: Asking) -> None:
    """Figures end in the same column, however long the name of a case is; an empty column is left out."""
    told = ask(made(steady), made(steady, where={"what": "something with a long name"}))
    rows = [row for row in told.rows if "100/s" in row]
    assert len({row.index("100/s") for row in rows}) == 1
    assert not any("ratio" in row or "asked" in row for row in told.rows)


def test_the_ratio_is_the_median_of_neighbours(ask: Asking, tmp_path: Path) -> None:
    """A slow minute that meets ours and the light alike does not change the ratio: 1, 2 and 0.3 make 1."""
    ours, light = in_turn([10, 20, 30], tmp_path / "ours"), in_turn([10, 10, 100], tmp_path / "light")
    (kept,) = ask(made(ours, light=light, rounds=3)).kept
    assert (kept["figures"], kept["lights"]) == ([10, 20, 30], [10, 10, 100])
    assert (kept["figure"], kept["light"], kept["ratio"]) == (20, 10, 1)


TARGETS: list[tuple[dict[str, Any], bool]] = [
    ({"asked": at_least(100, of="figure")}, True),
    ({"asked": at_least(101, of="figure")}, False),
    ({"asked": at_most(100, of="figure")}, True),
    ({"asked": at_most(99, of="figure")}, False),
    ({"asked": at_least(1.25), "light": partial(steady, figure=80)}, True),
    ({"asked": at_least(1.26), "light": partial(steady, figure=80)}, False),
    ({"asked": at_least(0.1)}, False),  # of a light that was not measured
    ({"also_asked": {"commits": at_most(7, of="figure")}}, True),
    ({"also_asked": {"commits": at_most(6, of="figure")}}, False),
    ({"asked": at_least(1, of="figure"), "also_asked": {"commits": at_most(6, of="figure")}}, False),
]


@pytest.mark.parametrize(("more", "reached"), TARGETS, ids=[str(number) for number in range(len(TARGETS))])
def test_a_missed_target_is_shown_as_missed(ask: Asking, more: dict[str, Any], reached: bool) -> None:
    """What is asked stands in the row with a mark, and in JSON; a miss is no failure of the run."""
    told = ask(made(steady, **more))
    text = "\n".join(told.rows)
    assert ("✗" in text) is not reached
    assert ("✓" in text) or not reached
    assert told.kept[0]["kept"] is reached
    assert told.code == 0


def fail(_: Path) -> Found:
    """Raise."""
    raise ValueError("the sum is 3, and [should] be 4")


def fall(_: Path) -> Found:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def hang(_: Path) -> Found:
    """Wait for what nobody sends."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    signal.sigwait({signal.SIGUSR1})
    raise AssertionError("unreachable")


def change(_: Path) -> Found:
    """Come to another result each time."""
    return Found(1, os.getpid())


def forget(_: Path) -> Found:
    """Leave out what is asked for."""
    return Found(1)


BROKEN: dict[str, tuple[Case, str]] = {
    "raises": (made(fail), "ValueError: the sum is 3, and [should] be 4"),
    "raises in the light": (made(steady, light=fail), "ValueError: the sum is 3"),
    "is killed": (made(fall), "its process ended with SIGKILL"),
    "hangs": (made(hang, seconds_max=1), "it took longer than 1 s"),
    "changes its mind": (made(change, rounds=2), "the rounds came to different results"),
    "forgets": (made(forget, also_asked={"MB": at_most(1)}), "figures that it does not give: MB"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_case_that_fails_does_not_end_the_others(ask: Asking, how: str) -> None:
    """Its last line stands in the table and why in JSON, the next is measured, and the run has failed."""
    broken, why = BROKEN[how]
    told = ask(broken, made(steady, where={"callers": 64}))
    (row,) = [row for row in told.rows if row.startswith("1 caller, 1,000 actors  failed: ")]
    assert why in row
    assert why in told.kept[0]["failed"]
    assert "figure" not in told.kept[0]
    assert told.kept[1]["figure"] == 100
    assert told.code == 1


async def live(path: Path) -> Found:
    """Tell in which process, and whether anything was there before."""
    there = trio.Path(path)
    before = len(list(await there.iterdir()))
    await (there / "file").write_text("x")
    return Found(os.getpid(), curve=[(50, 1.5)], also={"before": before})


def test_a_round_has_a_process_and_a_directory_of_its_own(ask: Asking) -> None:
    """No round finds what another has left behind, and what is async runs in trio."""
    (kept,) = ask(made(live, rounds=3)).kept
    assert len({*kept["figures"], os.getpid()}) == 4
    assert kept["also"] == {"before": 0}
    assert kept["curve"] == [[50, 1.5]]


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
from types import ModuleType
from benchmarks import __main__ as benchmarks
from benchmarks._case import Case, Found

def quick(path):
    return Found(1)

def slow(path):
    Path(sys.argv[1]).write_text(f"{os.getpid()} {path}")
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)

made_up = ModuleType("benchmarks.made_up", "Is it so?")
made_up.cases = lambda size: [
    Case(where={"n": number}, unit="/s", ours=ours) for number, ours in ((1, quick), (2, slow))
]
sys.modules["benchmarks.made_up"] = made_up
benchmarks.names = lambda: ["made_up", "never"]
sys.exit(benchmarks.main(["made_up", "never", "--json", sys.argv[2]]))
"""


def test_ctrl_c_keeps_what_was_found(tmp_path: Path) -> None:
    """The round that runs is ended, its directory removed, what was found is kept, and nothing more asked."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path / "round"), str(tmp_path / "kept.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert time.monotonic() - began < 40, "it was waited for"
    assert "interrupted: what is above is all there is" in done.stdout
    (question,) = json.loads((tmp_path / "kept.json").read_text("utf-8"))["questions"]
    assert [kept["where"] for kept in question["cases"]] == [{"n": 1}]
    process, directory = (tmp_path / "round").read_text("utf-8").split()
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
    assert not Path(directory).exists()


# ---- pictures ----------------------------------------------------------------------------------------


def _drawn(where: dict[str, str | int], figure: float) -> dict[str, Any]:
    return {"where": where, "figure": figure, "light": None, "unit": "/s", "against": None, "curve": []}


def test_throughput_is_drawn_over_callers_a_line_for_each_number_of_actors() -> None:
    """Callers are the axis where they differ; lines are sorted, and named for what sets them apart."""
    kept = [
        _drawn({"callers": callers, "actors": actors, "how": "quick"}, callers * actors)
        for actors in (100, 1)
        for callers in (64, 1)
    ]
    axis = pictures.axis_of(kept)
    assert axis == "callers"
    assert [(line.name, line.xs, line.ours) for line in pictures.lines_of(axis, kept)] == [
        ("1 actor", [1, 64], [1, 64]),
        ("100 actors", [1, 64], [100, 6_400]),
    ]


def test_what_does_not_differ_is_not_drawn() -> None:
    """One point is no picture, and neither are rows that only have names."""
    assert pictures.axis_of([_drawn({"callers": 1}, 1)]) is None
    assert pictures.axis_of([_drawn({"what": "one"}, 1), _drawn({"what": "two"}, 2)]) is None
    assert pictures.axis_of([_drawn({"callers": 2, "n": 1}, 1), _drawn({"callers": 3, "n": 2}, 1)]) is None


def test_every_colour_of_a_picture_has_another_in_the_dark() -> None:
    """Ink and ground change places for who has asked for dark surroundings, and nobody else."""
    svg = pictures.dusky('<svg width="1"><text style="fill: #1f2328">a</text></svg>')
    assert "prefers-color-scheme: dark" in svg
    assert '[style*="fill: #1f2328"] { fill: #e6edf3 !important }' in svg
    assert '<text style="fill: #1f2328">' in svg
    assert len(set(pictures.DARK.values())) == len(pictures.DARK)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="drawing needs the extra pictures")
@pytest.mark.filterwarnings("default")
def test_pictures_are_drawn(tmp_path: Path) -> None:
    """A question over callers becomes one file, and its distribution another."""
    kept = [_drawn({"callers": callers}, callers) for callers in (1, 64)]
    kept[0] |= {"curve": [[50, 1.0], [99, 2.0], [100, 3.0]], "also": {"median commit ms": 1.0}}
    drawn = pictures.draw([{"name": "made_up", "question": "Is it so?", "cases": kept}], tmp_path)
    assert [path.name for path in drawn] == ["made_up_per_s.svg", "made_up_waits.svg"]
    assert all("Is it so?" in path.read_text("utf-8") for path in drawn)
