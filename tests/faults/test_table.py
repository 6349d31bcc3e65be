"""Is the table of faults true: are its tests there and counted, and is the page what the data says?"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults import page, table
from tests.faults.runs import KEPT, TESTED, Run, Tried, kept, newest
from tests.faults.table import ABSENT, ROWS, named
from tests.tidy.house import ROOT

pytest_plugins = ["pytester"]

LAST = 47


def missing(name: str) -> bool:
    """Whether a name of the table is nobody's."""
    file, _, test = name.partition("::")
    path = ROOT / "tests" / file
    if path.is_dir():
        return False
    if not path.is_file():
        return True
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return bool(test) and test not in defined


def test_every_name_is_a_test() -> None:
    """A test that was renamed or taken away does not stay in the table; one that never was is missed."""
    assert [name for name in table.tests() + table.controls() if missing(name)] == []
    assert missing("crash/test_killed.py::test_never_was")
    assert missing("crash/test_never_was.py")


def test_every_fault_has_its_row() -> None:
    """Each number is tried, or said not to exist; what is tried has a control, or says that it has none."""
    numbers = [row.number for row in ROWS]
    assert sorted([*numbers, *ABSENT]) == list(range(1, LAST + 1))
    assert numbers == sorted(numbers)
    assert all(row.tests for row in ROWS)
    assert all(row.open for row in ROWS if not row.controls)


def test_a_name_means_what_is_in_it() -> None:
    """A module means all its tests, a test only itself, and nobody whose name only begins the same."""
    assert named("a/test_b.py::test_c", "a/test_b.py")
    assert named("a/test_b.py::test_c", "a")
    assert named("a/test_b.py::test_c", "a/test_b.py::test_c")
    assert not named("a/test_b.py::test_cd", "a/test_b.py::test_c")
    assert not named("ab/test_b.py::test_c", "a")


def test_the_page_says_what_the_data_says() -> None:
    """Its parts are made of the table and of the runs that are kept."""
    assert not page.stale(page.PAGE, kept()), "make it anew: python -m tests.faults"


def test_a_page_that_says_something_else_is_noticed(tmp_path: Path) -> None:
    """The control: another number in one cell makes a difference."""
    text = page.PAGE.read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| 2 |"))
    other = tmp_path / "page.md"
    other.write_text(text.replace(row, row.replace("| 20 |", "| 21 |")), "utf-8")
    assert page.stale(other, kept())


def test_what_is_kept_is_whole() -> None:
    """There is a run of everything, and a file that is read and written again is as it was."""
    assert any(run.whole and run.command == TESTED for run in kept())
    for path in KEPT.glob("*.json"):
        text = path.read_text("utf-8")
        assert Run.read(text).written() == text


def test_the_newest_run_of_a_test_counts() -> None:
    """A later run of a few tests replaces what an earlier one of all had of these."""
    one = Run(
        "2026-01-01", "default", True, 1, 1, 1, 2, 0, 2, {}, {"a": Tried(1, 1, 0.1), "b": Tried(1, 1, 0.1)}
    )
    two = one._replace(date="2026-01-02", whole=False, tried={"b": Tried(1, 7, 0.1)})
    assert newest([one, two], TESTED) == {"a": Tried(1, 1, 0.1), "b": Tried(1, 7, 0.1)}


SOME = """
from hypothesis import given, settings, strategies as st
import pytest
from tests.faults.counting import tried

@pytest.mark.parametrize("n", range(3))
def test_of_three(n): pass

def test_with_a_loop():
    for _ in range(5):
        tried()

@settings(max_examples=7, database=None)
@given(st.integers())
def test_of_examples(n): pass

def test_that_fails():
    tried(100)
    assert False

@pytest.mark.skip
def test_that_is_skipped(): pass
"""
PLUGIN = """
import sys

import pytest

sys.path.insert(0, ROOT)
from tests.faults.counting import Counting

def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=5)
    parser.addoption("--faults", default=None)

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    counting = Counting(config, "default")
    config.pluginmanager.register(counting)
    config.counting = counting

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        print(*(f"{name.partition('::')[2]}={one.tests}/{one.cases}"
                for name, one in sorted(config.counting._tried.items())))
"""


@pytest.mark.parametrize("processes", [0, 2])
def test_what_is_tried_is_counted(pytester: pytest.Pytester, processes: int) -> None:
    """Parameters, loops and examples, in one process or several; failures and skips count nothing."""
    pytester.makepyfile(SOME)
    pytester.makeconftest(PLUGIN.replace("ROOT", repr(str(ROOT))))
    ran = pytester.runpytest_subprocess(
        f"-n{processes}", "-p", "no:cacheprovider", f"--rootdir={pytester.path}"
    )
    ran.assert_outcomes(passed=5, failed=1, skipped=1)
    ran.stdout.fnmatch_lines(
        ["*test_of_examples=1/7 test_of_three=3/3 test_that_fails=0/0 *skipped=0/0 test_with_a_loop=1/5"]
    )
