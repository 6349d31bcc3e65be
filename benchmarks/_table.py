"""What answers look like: rows of a table, and the same as JSON.  Asks nothing, and opens no file."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from typing import Any

import lmdb
import trio
from rich.markup import escape

from ._case import Asked, Case
from ._run import Answer, Failed

__all__ = ["Table", "machine", "shown", "told"]

GAP = "  "


class Table:
    """The rows of one question, which come one by one: only the cases are known before the first."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._first = max((len(str(case)) for case in cases), default=0)
        beside = dict.fromkeys(case.against for case in cases if case.light is not None)
        self._against = next(iter(beside)) if len(beside) == 1 else "beside"
        asked = any(case.asked is not None for case in cases)
        # Ours, what it is read against, their ratio, what is asked: columns that stay empty are left out.
        self._widths = (12, 12 if beside else 0, 6 if beside else 0, 14 if asked else 0)

    def head(self) -> str:
        """The first row."""
        return f"[dim]{self._row('', 'ours', self._against, 'ratio', 'asked', '')}[/]"

    def row(self, found: Answer | Failed) -> str:
        """What a case came to, on one line, for rich."""
        case = found.case
        if isinstance(found, Failed):
            return f"[red]{case!s:<{self._first}}{GAP}failed: {escape(found.line)}[/]"
        row = self._row(
            str(case),
            shown(found.figure, case.unit),
            "" if found.light is None else shown(found.light, case.unit),
            "" if found.share is None else f"{found.share:.2f}",
            "" if case.asked is None else _wish(case.asked, case.unit, found.figure, found.share),
            ", ".join([*_beside(found), f"[dim]{found.result}[/]"]),
        )
        return f"[yellow]{row}[/]" if found.kept is False else row

    def _row(self, first: str, *row: str) -> str:
        *others, last = row
        cells = [cell.rjust(width) for cell, width in zip(others, self._widths, strict=True) if width]
        middle = "".join(f"{GAP}{cell}" for cell in cells)
        return f"{escape(f'{first:<{self._first}}')}{middle}{GAP}{last}".rstrip()


def _wish(asked: Asked, unit: str, figure: float, share: float | None) -> str:
    """What is asked, and whether it is reached."""
    bound = f"{asked.bound:,g} ×" if asked.of == "light" else _with(f"{asked.bound:,g}", unit)
    return f"{'≥' if asked.least else '≤'} {bound} {'✓' if asked.kept(figure, share) else '✗'}"


def _beside(found: Answer) -> Iterator[str]:
    for name, value in found.also.items():
        asked = found.case.also_asked.get(name)
        wish = "" if asked is None else f" ({_wish(asked, '', value, None)})"
        yield f"{escape(name)} {shown(value, '')}{wish}"


def shown(figure: float, unit: str) -> str:
    """A figure as one would say it: three digits that matter."""
    return _with(f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}", unit)


def _with(figure: str, unit: str) -> str:
    return f"{figure}{'' if unit.startswith('/') else ' '}{unit}".rstrip()


def told(name: str, question: str, found: Sequence[Answer | Failed]) -> dict[str, Any]:
    """A question and its answers, for JSON: what the rows say, and what each round came to."""
    return {"name": name, "question": question, "cases": [_told(one) for one in found]}


def _told(one: Answer | Failed) -> dict[str, Any]:
    case = one.case
    about = {"where": dict(case.where), "unit": case.unit, "durability": case.durability}
    if isinstance(one, Failed):
        return {**about, "failed": one.why}
    return {
        **about,
        "figure": one.figure,
        "figures": list(one.figures),
        "against": case.against if one.lights else None,
        "light": one.light,
        "lights": list(one.lights),
        "ratio": one.share,
        "asked": str(case.asked) if case.asked else None,
        "also_asked": {name: str(asked) for name, asked in case.also_asked.items()},
        "kept": one.kept,
        "also": dict(one.also),
        "curve": [list(point) for point in one.curve],
        "result": one.result,
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
