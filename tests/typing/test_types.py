"""Do mypy and pyright see what an author or a caller got wrong, and nothing else?

The other files of this folder are never run.  A line in them that is a mistake on purpose says who has to notice
it, and as what: ``# E: mypy[arg-type] pyright[reportArgumentType]``.  What the checkers report is compared with
these marks both ways: a mistake that passes is as wrong as correct code that does not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in HERE.glob("*.py") if path.name != "test_types.py")
SECONDS = 60
Found = set[tuple[str, int, str]]
"""File, line, and the code under which something is reported."""


def _run(module: str, *options: str) -> str:
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    command = [sys.executable, "-m", module, *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(*files: str) -> Found:
    """What mypy reports of these files."""
    options = ("--strict", "--python-version=3.11", "--namespace-packages", "--explicit-package-bases")
    silent = ("--config-file=", f"--cache-dir={os.devnull}", "--follow-imports=silent", "--output=json")
    reports: list[dict[str, Any]] = [
        json.loads(line) for line in _run("mypy", *options, *silent, *files).splitlines() if line.startswith("{")
    ]
    return {(one["file"], one["line"], one["code"]) for one in reports if one["severity"] == "error"}


def pyright(*files: str) -> Found:
    """What pyright reports of these files; with settings of their own, for the project's omit them."""
    with TemporaryDirectory() as folder:
        # Resolved, for pyright wants what it is to include as a path from there.
        place = Path(folder).resolve()
        settings: dict[str, Any] = {
            "include": [os.path.relpath(ROOT / file, place) for file in files],
            "extraPaths": [os.path.relpath(ROOT, place)],
            "typeCheckingMode": "strict",
            "pythonVersion": "3.11",
        }
        Path(place, "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
        answer = json.loads(_run("pyright", "--outputjson", f"--project={place}", f"--pythonpath={sys.executable}"))
    assert answer["summary"]["filesAnalyzed"] == len(files), answer["summary"]
    reports: list[dict[str, Any]] = answer["generalDiagnostics"]
    return {
        (
            Path(one["file"]).relative_to(ROOT).as_posix(),
            one["range"]["start"]["line"] + 1,
            one.get("rule", "syntax"),
        )
        for one in reports
        if one["severity"] == "error"
    }


def marked(checker: str, *files: str) -> Found:
    """What these files say that the checker has to report."""
    found: Found = set()
    for file in files:
        for number, line in enumerate((ROOT / file).read_text("utf-8").splitlines(), 1):
            mark = line.partition("  # E: ")[2]
            for codes in re.findall(rf"\b{checker}\[([\w, -]+)\]", mark):
                found |= {(file, number, code.strip()) for code in codes.split(",")}
    return found


def _told(found: Found) -> list[str]:
    return [f"{file}:{line}: {code}" for file, line, code in sorted(found)]


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_is_wrong_is_noticed_and_what_is_right_is_not(checker: Any) -> None:
    """Each marked line is reported under just the codes it names, and no other line at all."""
    reported, expected = checker(*FILES), marked(checker.__name__, *FILES)
    assert _told(reported - expected) == [], "reported, and not marked"
    assert _told(expected - reported) == [], "marked, and not reported"


@pytest.mark.parametrize("file", FILES)
def test_every_mark_can_be_read(file: str) -> None:
    """A mark names a checker and a code; one that was misspelt would promise nothing."""
    for line in (ROOT / file).read_text("utf-8").splitlines():
        if "# E:" in line:
            assert re.search(r"  # E: (?:(?:mypy|pyright)\[[\w, -]+\] ?)+$", line), line


def test_the_cart_is_checked_and_calls_are_refused() -> None:
    """The files hold mistakes for both checkers, in numbers that do not quietly dwindle."""
    assert len(marked("mypy", *FILES)) > 90
    assert len(marked("pyright", *FILES)) > 90
