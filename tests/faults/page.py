"""The parts of the page about testing that are made from data: the table, figures, what is open.

The page keeps its prose.  Between ``<!-- from tests/faults: name -->`` and ``<!-- end -->`` stands what this
makes of the table and of the runs that are kept, those of mistakes made on purpose among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.mutants.kept import HERE, Kept, Sum
from tests.tidy.house import ROOT

from .runs import PROVED, TESTED, Run, Tried, newest
from .table import ABSENT, ROWS, Row, named

__all__ = ["PAGE", "filled", "stale"]

PAGE: Final = ROOT / "docs/explanation/testing.md"
_PART: Final = re.compile(r"(<!-- from tests/faults: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, runs: list[Run]) -> str:
    """The page with every part made anew."""
    parts = {
        "figures": _figures(runs),
        "table": _table(runs),
        "rows": _rows(runs),
        "open": _open(runs),
        "mistakes": _mistakes(Kept(HERE).sums()),
    }

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}\n{parts[match[2]]}\n\n{match[3]}"

    return _PART.sub(fill, text)


def stale(path: Path, runs: list[Run]) -> bool:
    """Whether a page says something else than table and runs do."""
    text = path.read_text("utf-8")
    return filled(text, runs) != text


def _cases(names: Iterable[str], counts: Mapping[str, Tried]) -> int:
    """How many situations these tests tried, each counted once."""
    wanted = tuple(names)
    return sum(one.cases for test, one in counts.items() if any(named(test, name) for name in wanted))


def _number(cases: int) -> str:
    return f"{cases:,}" if cases else ""


def _table(runs: list[Run]) -> str:
    tested, proved = newest(runs, TESTED), newest(runs, PROVED)
    lines = [
        "| | what goes wrong | `make test` | asked | `make prove` | asked | controls |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in ROWS:
        cells = (
            f"{row.number}",
            row.fault,
            _number(_cases(row.tests, tested)),
            f"{row.asked[0]:,}",
            _number(_cases(row.tests, proved)),
            f"{row.asked[1]:,}",
            _number(_cases(row.controls, tested)) if row.controls else "none",
        )
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines)


def _rows(runs: list[Run]) -> str:
    tested = newest(runs, TESTED)
    return "\n".join(_row(row, tested) for row in ROWS)


def _row(row: Row, tested: Mapping[str, Tried]) -> str:
    said = [f"- **{row.number}. {row.fault}.** {_listed(row.tests, tested)}."]
    said.append(f"  Controls: {_listed(row.controls, tested)}." if row.controls else "  Controls: none.")
    return "\n".join(said)


def _listed(names: Iterable[str], tested: Mapping[str, Tried]) -> str:
    """Tests by their file, each with its cases."""
    by_file: dict[str, list[str]] = {}
    for name in names:
        file, _, test = name.partition("::")
        cases = _cases((name,), tested)
        by_file.setdefault(f"tests/{file}", []).append(
            f"{f'`{test}` ' if test else ''}{_number(cases)}".strip()
        )
    return "; ".join(
        f"`{file}`: {', '.join(tests)}" if any(tests) else f"`{file}`" for file, tests in by_file.items()
    )


def _open(runs: list[Run]) -> str:
    tested, proved = newest(runs, TESTED), newest(runs, PROVED)
    missing: list[str] = []
    for row in ROWS:
        cases = _cases(row.tests, tested)
        said = [row.open] if row.open else []
        if cases < row.asked[0]:
            rest = "; `make prove` has them" if _cases(row.tests, proved) >= row.asked[0] else ""
            said.append(f"At each change {cases:,} of {row.asked[0]:,} cases{rest}")
        if said:
            missing.append(f"- {row.number}, *{row.fault}*: {'. '.join(said)}.")
    return "\n".join([*missing, *(f"- {number}: {why}." for number, why in ABSENT.items())])


def _mistakes(sums: Mapping[str, Sum]) -> str:
    lines = [
        "| module | mistakes | noticed | without an end | survived, and judged | not tried |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = [(f"`{module.replace('.', '/')}.py`", one) for module, one in sums.items()]
    rows.append(("together", Sum(*map(sum, zip(*sums.values(), strict=True)))))
    for name, one in rows:
        cells = (f"{sum(one):,}", *(_number(n) for n in (one.noticed, one.hung, one.survived, one.untried)))
        lines.append(f"| {name} | {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(lines)


def _figures(runs: list[Run]) -> str:
    lines = ["| | |", "| --- | --- |"]
    whole = [run for run in runs if run.command == TESTED and run.figures]
    if whole:
        lines += [f"| {what} | {value} |" for what, value in _counts(whole[-1])]
    lines += [
        "",
        "| run | date | seed | tests | cases | seconds |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{run.command}`{'' if run.whole else ', in part'} | {run.date} | {run.seed} | {run.tests:,} "
        f"| {run.cases:,} | {run.seconds:,}, with {run.processes} processes |"
        for run in runs
    ]
    return "\n".join(lines)


def _counts(run: Run) -> Iterable[tuple[str, str]]:
    figures = run.figures
    shipped, tests = figures["shipped_lines"], figures["test_lines"]
    yield "lines that are shipped, entities of the examples included", f"{shipped:,}"
    yield "lines of tests", f"{tests:,}, which is {tests / shipped:.2f} for each line that is shipped"
    yield "test functions", f"{figures['test_functions']:,}"
    yield "tests that ran, parameters counted", f"{run.tests:,}"
    yield "cases, those of loops and of Hypothesis counted", f"{run.cases:,}"
    rows = newest([run], TESTED)
    yield "of these, cases of the table below", f"{_cases([n for row in ROWS for n in row.tests], rows):,}"
    yield "negative controls, cases", f"{_cases([n for row in ROWS for n in row.controls], rows):,}"
    if "branches" in figures:
        yield (
            "branches of core and codec that were walked",
            f"{figures['branches_walked']:,} of {figures['branches']:,}",
        )
