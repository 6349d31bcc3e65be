"""Asks the questions by name, prints the answers as they come, and keeps them.  Knows nothing of any of them."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import lmdb
import trio
from rich.console import Console

from ._case import Case, Size
from ._run import Answer, answer

WIDTHS = (44, 16, 14, 8, 18)


def names() -> list[str]:
    """The questions there are."""
    here = [str(Path(__file__).parent)]
    found = pkgutil.iter_modules(here)
    return sorted(module.name for module in found if not module.name.startswith("_") and not module.ispkg)


def question(name: str) -> str:
    """What it asks: the first paragraph of its docstring."""
    text = inspect.getdoc(importlib.import_module(f"benchmarks.{name}")) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def ask(name: str, size: Size, console: Console, *, rounds: int | None = None) -> list[Answer]:
    """Run its cases, and print a row for each."""
    cases: Callable[[Size], Iterable[Case]] = importlib.import_module(f"benchmarks.{name}").cases
    rows = list(cases(size))
    console.print(f"\n[bold]{name}[/]: {question(name)}")
    for durability in dict.fromkeys(case.durability for case in rows):
        console.print(f"[dim]durability: {durability}[/]")
    console.print(f"[dim]{_row('', 'ours', 'light', 'ratio', 'asked', '')}[/]")
    answers: list[Answer] = []
    with console.status("") as status:
        for number, case in enumerate(rows, 1):

            def tell(round_: int, times: int, case: Case = case, number: int = number) -> None:
                status.update(f"{name}: {number} of {len(rows)}: {case}, round {round_} of {times}")

            found = answer(case, rounds=rounds, tell=tell)
            answers.append(found)
            console.print(_line(found), highlight=False)
    return answers


def _row(*cells: str) -> str:
    first, *others, last = cells
    row = f"{first:<{WIDTHS[0]}}" + "".join(
        f"{cell:>{width}}" for cell, width in zip(others, WIDTHS[1:], strict=True)
    )
    return f"{row}  {last}".rstrip()


def shown(figure: float, unit: str) -> str:
    """A figure as one would say it: three digits that matter."""
    text = f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
    return f"{text}{'' if unit.startswith('/') else ' '}{unit}"


def _line(found: Answer) -> str:
    case = found.case
    beside = [f"{name} {shown(value, '').strip()}" for name, value in found.also.items()]
    row = _row(
        str(case),
        shown(found.figure, case.unit),
        "" if found.light is None else shown(found.light, case.unit),
        "" if found.share is None else f"{found.share:.2f}",
        "" if case.asked is None else f"{case.asked} {'✓' if found.kept else '✗'}",
        ", ".join([*beside, f"[dim]{found.result}[/]"]),
    )
    return f"[yellow]{row}[/]" if found.kept is False else row


def _told(name: str, found: Sequence[Answer]) -> dict[str, Any]:
    """A question and its answers, for JSON."""
    return {
        "name": name,
        "question": question(name),
        "cases": [
            {
                "where": dict(one.case.where),
                "unit": one.case.unit,
                "figure": one.figure,
                "figures": list(one.figures),
                "light": one.light,
                "lights": list(one.lights),
                "ratio": one.share,
                "asked": str(one.case.asked) if one.case.asked else None,
                "kept": one.kept,
                "also": dict(one.also),
                "curve": [list(point) for point in one.curve],
                "result": one.result,
                "durability": one.case.durability,
            }
            for one in found
        ],
    }


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "trio": trio.__version__,
        "lmdb": ".".join(map(str, lmdb.version())),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Ask the questions named, or list all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, or list the questions."
    )
    parser.add_argument("name", nargs="*", choices=[*names(), "all"], metavar="NAME", default=[])
    parser.add_argument("--size", choices=["tiny", "small", "full"], default="small")
    parser.add_argument("--rounds", type=int, help="of each case, instead of its own number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the answers")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw them, with matplotlib")
    told = parser.parse_args(argv)
    if not told.name:
        for name in names():
            print(f"{name:<16}{question(name)}")
        return 0
    asked = names() if "all" in told.name else told.name
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print("[dim]" + ", ".join(f"{what} {value}" for what, value in machine().items()) + "[/]")
    kept = [_told(name, ask(name, told.size, console, rounds=told.rounds)) for name in asked]
    if told.json:
        whole = {"machine": machine(), "size": told.size, "questions": kept}
        told.json.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if told.pictures:
        from ._pictures import draw  # noqa: PLC0415 - matplotlib is there on demand

        for path in draw(kept, told.pictures):
            console.print(f"drawn: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
