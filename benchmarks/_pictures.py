"""Draws answers as SVG: what happens over callers or sizes, and how waits are distributed.

Knows only what ``--json`` keeps.  The pictures have a ground of their own, and another one where the reader
has asked for dark surroundings, so that they can be read anywhere.
"""

from __future__ import annotations

import importlib
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["DARK", "axis_of", "draw", "dusky", "lines_of"]

INK, FAINT, GRID, PAPER = "#1f2328", "#59636e", "#e3e6ea", "#ffffff"
LINES: Final = ("#0a62c9", "#c2410c", "#15803d", "#9333ea", "#0e7490", "#be185d", "#854d0e", "#475569")
DARK: Final = {
    INK: "#e6edf3",
    FAINT: "#9aa4af",
    GRID: "#30363d",
    PAPER: "#12161c",
    **dict(
        zip(
            LINES,
            ("#58a6ff", "#ff9554", "#4ecb71", "#c595ff", "#43c6dd", "#ff7ab8", "#d9a441", "#a3b3c7"),
            strict=True,
        )
    ),
}
"""What each colour is in dark surroundings."""
SIZE = (7.6, 4.3)
LEAST_POINTS = 2
TITLE_LETTERS = 66
SHORT = 24
SHARES: Final = {50, 90, 99, 99.9, 99.99, 100}
"""Those that are written below a distribution; the others would run into each other."""

Kept = Mapping[str, Any]
"""A case, as JSON has it."""


class Line(NamedTuple):
    """A line of a picture: ours, and what it is read against."""

    name: str
    xs: list[float]
    ours: list[float]
    against: list[float] | None


def draw(questions: Sequence[Kept], folder: Path) -> list[Path]:
    """Draw what can be drawn of these questions, a file each or several; gives the files."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    for question in questions:
        done = [case for case in question["cases"] if "failed" not in case]
        for unit in dict.fromkeys(case["unit"] for case in done):
            cases = [case for case in done if case["unit"] == unit]
            axis = axis_of(cases)
            if axis is not None:
                drawn.append(
                    _over(axis, question, unit, cases, folder / f"{question['name']}_{_word(unit)}.svg")
                )
        curved = [case for case in done if case["curve"]]
        if curved:
            drawn.append(_distributed(question, curved, folder / f"{question['name']}_waits.svg"))
    return drawn


def _word(unit: str) -> str:
    return re.sub(r"\W+", "", unit.replace("/", "per_")) or "other"


def axis_of(cases: Sequence[Kept]) -> str | None:
    """Over what to draw: callers, or else the number that differs most from case to case."""
    numbers: dict[str, set[int]] = {}
    for case in cases:
        for name, value in case["where"].items():
            if isinstance(value, int):
                numbers.setdefault(name, set()).add(value)
    differing = {name: len(values) for name, values in numbers.items() if len(values) >= LEAST_POINTS}
    for axis in sorted(differing, key=lambda name: (name != "callers", -differing[name])):
        if any(len(line.xs) >= LEAST_POINTS for line in lines_of(axis, cases)):
            return axis
    return None


def lines_of(axis: str, cases: Iterable[Kept]) -> list[Line]:
    """One for each of what else differs."""
    groups: dict[tuple[int | str, ...], list[Kept]] = {}
    cases = [case for case in cases if axis in case["where"]]
    others = [name for case in cases for name in case["where"] if name != axis]
    told = [name for name in dict.fromkeys(others) if len({case["where"].get(name) for case in cases}) > 1]
    for case in cases:
        groups.setdefault(tuple(case["where"].get(name, "") for name in told), []).append(case)
    lines: list[Line] = []
    for key, group in sorted(
        groups.items(), key=lambda pair: [value for value in pair[0] if isinstance(value, int)]
    ):
        group.sort(key=lambda case: case["where"][axis])
        name = ", ".join(_said(*one) for one in zip(told, key, strict=True) if one[1] != "")
        lights = [case["light"] for case in group]
        lines.append(
            Line(
                name,
                [case["where"][axis] for case in group],
                [case["figure"] for case in group],
                lights if all(light is not None for light in lights) else None,
            )
        )
    return lines


def _said(name: str, value: str | int) -> str:
    if not isinstance(value, int):
        return value.strip()
    return f"{value:,} {name.removesuffix('s') if value == 1 else name}"


def _over(axis: str, question: Kept, unit: str, cases: Sequence[Kept], path: Path) -> Path:
    figure, axes = _sheet(question, _high(unit))
    lines = lines_of(axis, cases)
    for line, colour in zip(lines, LINES * len(lines), strict=False):
        axes.plot(line.xs, line.ours, "o-", color=colour, label=line.name or "ours", zorder=3)
        if line.against is not None and len(line.xs) >= LEAST_POINTS:
            axes.plot(line.xs, line.against, "o--", color=colour, alpha=0.55, linewidth=1.2, markersize=3)
    against = next((case["against"] for case in cases if case["against"]), None)
    if against:
        axes.plot([], [], "--", color=FAINT, linewidth=1.2, label=f"dashed: {against}")
    xs = sorted({x for line in lines for x in line.xs})
    axes.set_xscale("log")
    axes.set_xticks(xs, [f"{x:,}" for x in xs])
    axes.set_xlabel(axis)
    figures = [y for line in lines for y in (*line.ours, *(line.against or ())) if y > 0]
    if figures and max(figures) > 10 * min(figures):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    return _kept(figure, axes, path, legend=len(lines) > 1 or bool(against))


def _high(unit: str) -> str:
    return f"{unit.removeprefix('/')}" if not unit.startswith("/") else f"a {unit[1:].replace('s', 'second')}"


def _distributed(question: Kept, cases: Sequence[Kept], path: Path) -> Path:
    """Percentiles, as far apart as their distance from 100 has digits: the tail is what is looked at."""
    figure, axes = _sheet(question, "milliseconds")
    ticks: dict[float, str] = {}
    for case, colour in zip(cases, LINES * len(cases), strict=False):
        # The slowest of all stands one digit behind the last.
        least = min(100 - share for share, _ in case["curve"] if share < 100)
        places = [100 / (100 - share if share < 100 else least / 10) for share, _ in case["curve"]]
        name = ", ".join(_said(*one) for one in case["where"].items())
        axes.plot(places, [wait for _, wait in case["curve"]], "o-", color=colour, label=name, zorder=3)
        commit = case["also"].get("median commit ms")
        if commit is not None:
            axes.axhline(commit, color=FAINT, linestyle="--", linewidth=1.2, label="the median commit")
        for place, (share, _) in zip(places, case["curve"], strict=True):
            if share in SHARES:
                ticks[place] = "slowest" if share == 100 else f"{share:g} %"
    axes.set_xscale("log")
    axes.set_yscale("log")
    shown = sorted(ticks)
    axes.set_xticks(shown, [ticks[place] for place in shown])
    axes.set_xlabel("of all are answered within")
    return _kept(figure, axes, path, legend=True)


def _sheet(question: Kept, unit: str) -> tuple[Any, Any]:
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "actorflow",
            "font.family": ["sans-serif"],
            "font.size": 10,
            "lines.markersize": 4.5,
            "lines.linewidth": 1.9,
            "text.color": INK,
            "axes.labelcolor": FAINT,
            "xtick.labelcolor": FAINT,
            "ytick.labelcolor": FAINT,
        }
    )
    figure, axes = importlib.import_module("matplotlib.pyplot").subplots(figsize=SIZE, facecolor=PAPER)
    axes.set_facecolor(PAPER)
    title = "\n".join(textwrap.wrap(question["question"], TITLE_LETTERS))
    axes.set_title(title, loc="left", color=INK, fontsize=11.5, weight="bold", pad=26, linespacing=1.35)
    axes.text(0, 1.035, unit, transform=axes.transAxes, color=FAINT)
    return figure, axes


def _kept(figure: Any, axes: Any, path: Path, *, legend: bool) -> Path:
    ticker: Any = importlib.import_module("matplotlib.ticker")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    axes.grid(axis="y", color=GRID, linewidth=0.9)
    axes.set_axisbelow(True)
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), numticks=12))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if legend:
        axes.legend(
            frameon=False,
            loc="upper left",
            bbox_to_anchor=(-0.012, -0.15),
            labelcolor=INK,
            handlelength=1.8,
            ncols=3 if all(len(text) < SHORT for text in axes.get_legend_handles_labels()[1]) else 2,
            columnspacing=1.6,
        )
    figure.savefig(path, bbox_inches="tight", pad_inches=0.25, metadata={"Date": None})
    importlib.import_module("matplotlib.pyplot").close(figure)
    path.write_text(dusky(path.read_text("utf-8")), "utf-8")
    return path


def dusky(svg: str) -> str:
    """With other colours in dark surroundings; who knows nothing of such rules sees the light ones."""
    rules = [
        f'[style*="{what}: {light}"] {{ {what}: {dark} !important }}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
    ]
    style = "@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}"
    return re.sub(r"(<svg[^>]*>)", rf"\1\n<style>\n{style}\n</style>", svg, count=1)
