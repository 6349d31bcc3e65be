"""Do the pages say what the code says?  Tables, charts, names, and the files and tests they cite."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

import actorflow
import actorflow.testing
from actorflow._core.facts import EFFECTS
from actorflow._core.phases import PHASES
from actorflow.limits import Limits
from tests.documentation import pages
from tests.tidy.house import ROOT

CORE = "docs/explanation/core.md"
TRACES = "docs/explanation/traces.md"
REFERENCE = "docs/reference.md"


def test_the_state_table_is_the_codes() -> None:
    """What the page says may reach an actor in each phase is what the core decides by."""
    shown, made = pages.between(pages.read(CORE), pages.TABLE), pages.state_table()
    if shown != made:
        pytest.fail(f"between the markers '{pages.TABLE}' in {CORE} belongs:\n\n{made}", pytrace=False)


def test_the_chart_shows_every_phase() -> None:
    """The chart of an actor's phases has all of them and no other."""
    assert pages.chart_phases(pages.read(CORE)) == set(PHASES.values())


def test_the_core_page_names_every_effect() -> None:
    """Whatever an actor can ask of the world is explained."""
    text = pages.read(CORE)
    assert [kind.__name__ for kind in EFFECTS.values() if f"`{kind.__name__}`" not in text] == []


def test_the_core_page_lists_every_file() -> None:
    """A maintainer learns from the page what each file of the core is for."""
    rows = {line.split("`")[1] for line in pages.read(CORE).splitlines() if line.startswith("| `")}
    files = {path.name for path in (ROOT / "actorflow/_core").glob("*.py")} - {"__init__.py"}
    assert sorted(files ^ {row for row in rows if row.endswith(".py")}) == []


@pytest.mark.parametrize(
    "page",
    [CORE, TRACES, "docs/architecture.md", "docs/explanation/journal.md", "docs/explanation/testing.md"],
)
def test_what_a_page_cites_is_there(page: str) -> None:
    """A reader who looks for a test or a file that a page names finds it."""
    text, tests = pages.read(page), pages.written_tests()
    missing = [path for path in sorted(pages.cited_files(text)) if not (ROOT / path).exists()]
    missing += [
        f"{path}::{name}"
        for path, name in pages.cited_tests(text)
        if not any(fnmatchcase(where, path) and fnmatchcase(which, name) for where, which in tests)
    ]
    assert missing == []


def test_every_trace_names_its_test() -> None:
    """Each of the fourteen traces says which test tells it."""
    parts = pages.read(TRACES).split("\n## ")[1:]
    numbered = {int(part.split(".")[0]): part for part in parts if part[0].isdigit()}
    assert sorted(numbered) == list(range(1, 15))
    assert [number for number, part in numbered.items() if f"test_trace_{number}_" not in part] == []


def test_the_reference_has_every_public_name() -> None:
    """Whatever can be imported has its line in the reference, and nothing else has."""
    listed = pages.first_cells(pages.read(REFERENCE))
    public = {*actorflow.__all__, *actorflow.testing.__all__}
    assert sorted(public - set(listed)) == []
    assert sorted(set(listed) - public - {"activity", *_limits()}) == []
    assert sorted({name for name in listed if listed.count(name) > 1}) == []


def _limits() -> set[str]:
    return set(Limits.__annotations__)


def test_the_reference_has_every_limit() -> None:
    """Every bound is listed with the value it has unless somebody sets another."""
    text = pages.read(REFERENCE)
    assert [name for name in sorted(_limits()) if f"| `{name}` | " not in text] == []


def test_a_wrong_claim_is_noticed() -> None:
    """A table cell, a test or a file that is not there makes a difference."""
    assert pages.between("<!-- state table -->\nx\n<!-- end of state table -->", pages.TABLE) == "x"
    assert list(pages.cited_tests("`tests/core/test_x.py::test_y`, `test_z_*`")) == [
        ("tests/core/test_x.py", "test_y"),
        ("*", "test_z_*"),
    ]
    assert pages.cited_files("`actorflow/_core/nowhere.py` and `step.py`") == {"actorflow/_core/nowhere.py"}
    assert pages.chart_phases("```mermaid\nstateDiagram-v2\n    vacant --> running: a start\n```\n") == {
        "vacant",
        "running",
    }
