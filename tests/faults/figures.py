"""Figures about the tree: lines of what is shipped and of its tests, and the branches that were walked."""

from __future__ import annotations

import ast
import json
import tempfile
from pathlib import Path

import coverage

from tests.tidy.house import ROOT, SHIPPED, files

__all__ = ["counted", "walked"]


def counted() -> dict[str, int]:
    """Lines with something on them, and test functions."""
    found = {"shipped_lines": 0, "test_lines": 0, "test_functions": 0}
    for path in files(".py"):
        text = path.read_text("utf-8")
        lines = sum(bool(line.strip()) for line in text.splitlines())
        match path.relative_to(ROOT).parts[0]:
            case "tests":
                found["test_lines"] += lines
                tree = ast.walk(ast.parse(text))
                found["test_functions"] += sum(
                    isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
                    for node in tree
                )
            case room if room in SHIPPED:
                found["shipped_lines"] += lines
            case _:
                pass
    return found


def walked() -> dict[str, int]:
    """Branches of the core and the codec, and how many of them the run walked that has just ended."""
    watched = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    watched.load()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        watched.json_report(outfile=str(report))
        totals = json.loads(report.read_text("utf-8"))["totals"]
    return {"branches": totals["num_branches"], "branches_walked": totals["covered_branches"]}
