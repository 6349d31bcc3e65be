"""Is what a system answers really checked?  Every mistake that a system could make is noticed."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.peers import _work
from benchmarks.peers._work import SIGNALS, STEPS, UPDATES, Question
from tests.peers.fake import QUESTIONS, Fake


def asked(fake: Fake, question: Question, seconds: float = 0.0) -> _work.Answer:
    """What a fake answers."""
    return asyncio.run(_work.ask(fake, question, seconds))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_right_answers_are_right(question: Question) -> None:
    """A system that does what it is asked passes, and is given a rate, a median and a tail."""
    answer = asked(Fake(), question)
    assert answer.checked
    assert answer.rate > 0
    assert 0 < answer.median_ms <= answer.p99_ms
    assert answer.count == question.at_once * question.each


@pytest.mark.parametrize("mistake", ["loses one", "repeats one"])
def test_a_lost_or_repeated_message_is_noticed(mistake: str) -> None:
    """One message in a thousand that is lost or taken twice makes the whole answer wrong."""
    question = Question(SIGNALS, 8, 128)
    right, wrong = asked(Fake(), question), asked(Fake(mistake), question)
    assert right.checked
    assert not wrong.checked
    assert right.result != wrong.result


def test_a_wrong_reply_is_noticed() -> None:
    """An update that answers a cent too much ends the run, and says of which cart."""
    with pytest.raises(AssertionError, match=r"updates-1-\d+ comes to \d+"):
        asked(Fake("answers wrong"), Question(UPDATES, 1, 20))


def test_a_skipped_step_is_noticed() -> None:
    """Steps that do not add up make the answer wrong."""
    assert not asked(Fake("skips a step"), Question(STEPS, 2, 4)).checked


def test_a_result_does_not_depend_on_how_long_it_was_asked() -> None:
    """Fast and slow systems do different numbers of rounds, and their results can be compared anyhow."""
    question = QUESTIONS[1]
    short, long = asked(Fake(), question), asked(Fake(), question, 0.05)
    assert long.count > short.count
    assert long.result == short.result
    assert asked(Fake(), QUESTIONS[0]).result != short.result


def test_later_is_waited_for() -> None:
    """Of a system that applies later, the time until everything is applied is measured too."""

    class Later(Fake):
        applied_when_acknowledged = False
        asked_for = 0

        async def until_applied(self, count: int) -> None:
            self.asked_for = count
            await asyncio.sleep(0)

    later = Later()
    answer = asked(later, QUESTIONS[1])
    assert later.asked_for == QUESTIONS[1].at_once * QUESTIONS[1].each
    assert answer.applied_rate < answer.rate


class InThreads(_work.Threads, Fake):
    """The same, with a thread for each caller."""


def test_callers_may_be_threads() -> None:
    """A system whose calls block is asked the same, and comes to the same."""
    answers: list[_work.Answer] = []

    async def main() -> None:
        answers.append(await _work.ask(InThreads(), QUESTIONS[1], 0.0))

    _work.finish(main)
    assert answers[0].checked
    assert answers[0].result == asked(Fake(), QUESTIONS[1]).result


def test_a_thread_that_fails_is_noticed() -> None:
    """What one of the threads raises ends the run, and is not lost with its thread."""

    async def main() -> None:
        await _work.ask(InThreads("answers wrong"), Question(UPDATES, 1, 20), 0.0)

    with pytest.raises(AssertionError, match="comes to"):
        _work.finish(main)


@pytest.mark.parametrize("size", _work.SIZES)
def test_a_round_reaches_every_cart_it_names(size: str) -> None:
    """The questions of both sizes spread over the carts, and every caller has something to send."""
    for question in _work.SIZES[size].questions:
        carts = _work.expected(question)
        assert all(carts.values())
        if question.kind == SIGNALS and question.at_once > 1:
            assert len(carts) > _work.CARTS // 2
