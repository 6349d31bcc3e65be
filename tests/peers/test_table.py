"""Does the table say everything, in its place?  Figures, ratios, and why something is missing."""

from __future__ import annotations

from dataclasses import replace

from attrs import evolve

from benchmarks.peers._peer import Report
from benchmarks.peers._table import notes, right, table
from benchmarks.peers._work import SIGNALS, STEPS, UPDATES, Answer, Question

QUESTIONS = (Question(SIGNALS, 64, 4), Question(UPDATES, 1, 20), Question(STEPS, 20, 5))


def report(name: str, rate: float, median_ms: float, result: str = "abc") -> Report:
    """A system that answered everything alike."""
    answers = {
        question.name: Answer(
            question=question.name,
            callers=question.at_once,
            rate=rate,
            applied_rate=rate / 2,
            median_ms=median_ms,
            p99_ms=median_ms,
            count=1,
            sync_ms=0.5,
            checked=True,
            result=result,
        )
        for question in QUESTIONS
    }
    return Report(name, "1.0", "every commit synced", answers, ended=True)


def test_ratios_are_to_actorflow() -> None:
    """Beside what a peer did stands how many times as much actorflow did, or in what part of the time."""
    peer = report("peer", 50, 3)
    del peer.answers["steps, 20"]
    peer.cannot["steps, 20"] = "no steps"
    late = report("late", 50, 3)
    late.answers.clear()
    late.trouble = "over 120 s without an answer: signals, 64"
    shown = table([report("actorflow", 20_000, 0.5), peer, late], QUESTIONS)
    assert shown.splitlines() == [
        "                                  actorflow           peer                          late",
        "signals/s, 64 callers        20,000           50.0    ×400  over 120 s without an answer",
        "  until applied              10,000           25.0    ×400  over 120 s without an answer",
        "update, ms, 1 caller          0.500           3.00   ×6.00  over 120 s without an answer",
        "steps/s, 20 actors in a row  20,000               no steps  over 120 s without an answer",
        "a bare fdatasync, ms          0.500          0.500",
    ]  # fmt: skip
    assert right([peer, late])


def test_another_result_is_wrong() -> None:
    """A system that came to another result than actorflow is wrong, though it believes itself."""
    ours, other = report("actorflow", 100, 1), report("peer", 900, 1, result="abd")
    assert right([ours])
    assert not right([ours, other])
    assert table([ours, other], QUESTIONS).count("WRONG") == 4
    assert "WRONG: steps, 20: result abd" in notes([ours, other])
    unchecked = report("actorflow", 100, 1)
    unchecked.answers["steps, 20"] = replace(unchecked.answers["steps, 20"], checked=False)
    assert not right([unchecked])


def test_notes_say_what_was_in_force() -> None:
    """Each system's version and durability stand under the table, and its trouble."""
    absent = evolve(report("absent", 1, 1), trouble="not installed: there is no npm here")
    said = notes([report("actorflow", 100, 1), absent])
    assert "actorflow 1.0\n  every commit synced" in said
    assert "  not installed: there is no npm here" in said
