"""The table of all reports: a row for each question, a column for each system, and the ratios to actorflow.

Pure: what it is given, it lays out.  What is missing says why, in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, NamedTuple

from benchmarks.peers._peer import Report
from benchmarks.peers._work import SIGNALS, STEPS, TASKS, UPDATES, Answer, Question

OURS: Final = "actorflow"
TIMES: Final = "×"


class Row(NamedTuple):
    """One line: a figure of the answers to a question."""

    title: str
    question: Question
    figure: Callable[[Answer], float]
    less_is_better: bool = False


def rows(questions: Sequence[Question]) -> list[Row]:
    """The lines, in order."""
    found: list[Row] = []
    for question in questions:
        callers = f"{question.at_once} caller{'s' * (question.at_once > 1)}"
        match question.kind:
            case kind if kind == SIGNALS:
                found.append(Row(f"signals/s, {callers}", question, lambda answer: answer.rate))
                found.append(Row("  until applied", question, lambda answer: answer.applied_rate))
            case kind if kind == UPDATES:
                found.append(
                    Row(
                        f"update, ms, {callers}",
                        question,
                        lambda answer: answer.median_ms,
                        less_is_better=True,
                    )
                )
            case kind if kind == STEPS:
                actors = f"{question.at_once} actor{'s' * (question.at_once > 1)}"
                found.append(Row(f"steps/s, {actors} in a row", question, lambda answer: answer.rate))
            case kind if kind == TASKS:
                found.append(Row(f"tasks/s, {question.each} at once", question, lambda answer: answer.rate))
            case kind:
                raise ValueError(f"a question of no kind: {kind!r}")
    return found


def right(reports: Sequence[Report]) -> bool:
    """Did everything that was measured come to what it must, and in all systems to the same?"""
    return not any(_wrong(report, question, reports) for report in reports for question in report.answers)


def _wrong(report: Report, question: str, reports: Sequence[Report]) -> bool:
    answer = report.answers[question]
    ours = _answer(_named(reports, OURS), question)
    return not answer.checked or (ours is not None and answer.result != ours.result)


def _named(reports: Sequence[Report], name: str) -> Report | None:
    return next((report for report in reports if report.name == name), None)


def _answer(report: Report | None, question: str) -> Answer | None:
    return report.answers.get(question) if report else None


def table(reports: Sequence[Report], questions: Sequence[Question]) -> str:
    """All of it, as text."""
    lines = [
        ["", *(report.name for report in reports)],
        *([row.title, *(_cell(row, report, reports) for report in reports)] for row in rows(questions)),
        ["a bare fdatasync, ms", *(_synced(report) for report in reports)],
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(row: Row, report: Report, reports: Sequence[Report]) -> str:
    answer = report.answers.get(row.question.name)
    if answer is None:
        return report.cannot.get(row.question.name) or _in_short(report.trouble)
    if _wrong(report, row.question.name, reports):
        return "WRONG"
    figure = row.figure(answer)
    ours = _answer(_named(reports, OURS), row.question.name)
    if report.name == OURS or ours is None:
        return f"{_number(figure)}{'':8}"
    ratio = row.figure(ours) / figure
    return f"{_number(figure)} {TIMES + _number(1 / ratio if row.less_is_better else ratio):>7}"


def _number(figure: float) -> str:
    """Three digits that matter."""
    for digits in (0, 1, 2, 3):
        if figure >= 100 / 10**digits:
            return f"{figure:,.{digits}f}"
    return f"{figure:.3f}"


def _in_short(trouble: str) -> str:
    return trouble.partition(":")[0] or "not asked"


def _synced(report: Report) -> str:
    spans = [answer.sync_ms for answer in report.answers.values()]
    return f"{_number(median(spans))}{'':8}" if spans else ""


def notes(reports: Sequence[Report]) -> str:
    """What the table does not say."""
    lines = [
        f"{TIMES}7: in this run {OURS} did seven times as much a second, or took a seventh of the time.",
        "signals/s: acknowledged, and so durable; until applied: the cart has them, too.",
        "a bare fdatasync: just before each question; where it differs, the machine was not quiet.",
        "Results are checked, and the same in all.  What cannot be compared: benchmarks/peers/README.md.",
        "",
    ]
    for report in reports:
        lines.append(f"{report.name} {report.version}".rstrip())
        if report.durability:
            lines.append(f"  {report.durability}")
        if report.trouble:
            lines.append(f"  {report.trouble}")
        wrong = [name for name in report.answers if _wrong(report, name, reports)]
        lines += [f"  WRONG: {name}: result {report.answers[name].result}" for name in wrong]
    return "\n".join(lines)
