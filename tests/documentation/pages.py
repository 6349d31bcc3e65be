"""What the pages of the docs claim that a program can check: their examples, tables and names.

Knows nothing of pytest.  Three kinds of blocks are run, in the order of the page: Python; Python whose first
line is ``# name.py``, which is a file; and a console's commands, with what they print.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import trio

from actorflow._core.facts import KINDS
from actorflow._core.phases import ADMISSION, PHASES
from tests.tidy.house import ROOT, files

TABLE = "state table"
"""The marker between which ``docs/explanation/core.md`` holds the table that ``state_table`` makes."""

_BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"# (\w+\.py)\n")
_EXCUSE = re.compile(r"<!-- not run: \S.*? -->\n\Z", re.DOTALL)
_TEST = re.compile(r"`(?:(tests/[\w/*]+\.py)::)?(test_[\w*]+)`")
_FILE = re.compile(r"`((?:actorflow|persistence|entities|tests|benchmarks|docs)/[\w/]+\.(?:py|md))`")


def pages() -> list[str]:
    """The README and every page of the docs, as paths from the root."""
    found = [path.relative_to(ROOT).as_posix() for path in files(".md")]
    return [path for path in found if path == "README.md" or path.startswith("docs/")]


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text("utf-8")


# ---- examples ----------------------------------------------------------------------------------------


class Example(NamedTuple):
    """A block that a reader is shown, and the line of the page at which it begins."""

    line: int
    code: str
    console: bool = False


def examples(text: str) -> list[Example]:
    """The blocks of a page that are to be run, in order; those that say why they are not are left out."""
    found: list[Example] = []
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        if not _EXCUSE.search(before):
            found.append(Example(before.count("\n") + 2, match[2], match[1] == "console"))
    return found


def run(example: Example, page: str, module: ModuleType) -> None:
    """Run a block in a module; tracebacks, and what the lint finds, name the lines of the page."""
    named = _NAMED.match(example.code)
    if example.console:
        _run_console(example, page)
        return
    if named is not None:
        Path(named[1]).write_text(example.code, "utf-8")
        return
    name = f"<{page}, the block at line {example.line}>"
    source = "\n" * (example.line - 1) + example.code
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    exec(compile(source, name, "exec"), vars(module))  # noqa: S102 - it is the house's own page


def run_test(shown: object) -> None:
    """Run a test that a page defines, under trio if it wants that."""
    assert callable(shown), "tests are functions"
    if inspect.iscoroutinefunction(shown):
        trio.run(shown)
    else:
        shown()


def _run_console(example: Example, page: str) -> None:
    """Run the commands of a block, and compare what they print; ``...`` stands for anything."""
    for part in re.split(r"^\$ ", example.code, flags=re.MULTILINE)[1:]:
        line, _, due = part.partition("\n")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", line],  # noqa: S607 - as a reader's own shell
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        killed = done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
        printed = done.stdout + "Killed\n" * killed  # which a shell that talks to somebody says
        pattern = re.escape(due).replace(re.escape("..."), ".*")
        assert re.fullmatch(pattern, printed, re.DOTALL), (
            f"{page}: $ {line}\nprints:\n{printed}and not:\n{due}"
        )
        assert killed or done.returncode == 0, f"{page}: $ {line}\nends with {done.returncode}"


# ---- tables ------------------------------------------------------------------------------------------


def state_table() -> str:
    """What may reach an actor in each phase, as the page shows it."""
    kinds = list(dict.fromkeys(kind for row in ADMISSION.values() for kind in row))
    lines = [
        f"| input | {' | '.join(PHASES[phase] for phase in ADMISSION)} |",
        f"| --- |{' --- |' * len(ADMISSION)}",
        *(f"| {KINDS[kind]} | {' | '.join(row[kind] for row in ADMISSION.values())} |" for kind in kinds),
    ]
    return "\n".join(lines)


def between(text: str, marker: str) -> str:
    """What a page holds between a marker's beginning and its end."""
    found = re.search(rf"<!-- {marker} -->\n(.*?)\n<!-- end of {marker} -->", text, re.DOTALL)
    return found[1].strip() if found else ""


def first_cells(text: str) -> list[str]:
    """The names in backquotes that open the rows of a page's tables."""
    return [
        name
        for cell in re.findall(r"^\| ([^|]*)\|", text, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", cell)
    ]


def chart_phases(text: str) -> set[str]:
    """The phases that a page's chart draws."""
    charts = re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {name for chart in charts for arrow in re.findall(r"(\w+) --> (\w+)", chart) for name in arrow}


# ---- what is cited -----------------------------------------------------------------------------------


def written_tests() -> list[tuple[str, str]]:
    """Every test there is: its file and its name."""
    found: list[tuple[str, str]] = []
    for path in files(".py"):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith("tests/"):
            tree = ast.parse(path.read_text("utf-8"))
            found += [
                (place, node.name)
                for node in ast.walk(tree)
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            ]
    return found


def cited_tests(text: str) -> Iterator[tuple[str, str]]:
    """The tests that a page names, each with the file it says; ``*`` stands for anything."""
    for match in _TEST.finditer(text):
        yield match[1] or "*", match[2]


def cited_files(text: str) -> set[str]:
    """The files of the house that a page names."""
    return set(_FILE.findall(text))
