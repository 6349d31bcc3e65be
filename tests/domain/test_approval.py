"""The story of a request for approval: asked, reminded, passed on, withdrawn, or too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import trio

from actorflow import Activity, ActorCompleted, BadToken, Refused, Runtime, TokenSpent, UsageError
from actorflow.testing import Scenario
from entities import approval as approvals
from entities.approval import (
    DEADLINE,
    ESCALATE_AFTER,
    REMIND_AFTER,
    Answer,
    Approval,
    Decision,
    ask,
    remind,
    tell,
)
from persistence import MemoryJournal
from tests.domain.props import Clock

REQUEST = Approval("a new desk", requester="lab", first="desk", second="office")
YES = Answer(approved=True)
NO = Answer(approved=False, why="we have one")
SECOND = timedelta(seconds=1)


class Request:
    """A request that has begun, and the letters that were sent about it."""

    def __init__(self) -> None:
        self.actor = Scenario(Approval, "request-1")
        self.actor.start(REQUEST)
        self.tokens: dict[str, str] = {}
        self.letters: list[tuple[str, str]] = []

    def post(self) -> Request:
        """Let every letter that is to be sent arrive, with a crash after each."""
        while letters := [one for one in self.actor.waiting if one.kind == "activity"]:
            name, person = letters[0].name, letters[0].arguments[0]
            self.letters.append((name, person))
            if name == "ask":
                self.tokens[person] = letters[0].arguments[2]
            self.actor.answer(letters[0])
            self.actor.restart()
        return self

    def after(self, duration: timedelta) -> Request:
        """Let time pass, step by step as it would."""
        self.post()
        self.actor.advance(duration)
        return self.post()

    @property
    def decision(self) -> Decision:
        """How it ended."""
        self.post()
        return self.actor.result(Decision)


@pytest.fixture
def request_() -> Request:
    """A request of which the first approver has just heard."""
    return Request().post()


# ---- answers -----------------------------------------------------------------------------------------


def test_the_first_approver_decides(request_: Request) -> None:
    """Who is asked has a token, and what is answered by it decides; everybody is told."""
    request_.actor.resolve(request_.tokens["desk"], NO)
    assert request_.decision == Decision("declined", "desk", "we have one")
    assert request_.letters == [
        ("ask", "desk"),
        ("tell", "lab"),
        ("tell", "desk"),
    ]  # the second never heard of it


def test_an_answer_decides_once(request_: Request) -> None:
    """A click that comes twice changes nothing; whoever clicks otherwise after that is told so."""
    request_.actor.resolve(request_.tokens["desk"], YES)
    request_.actor.resolve(request_.tokens["desk"], YES)
    with pytest.raises(TokenSpent):
        request_.actor.resolve(request_.tokens["desk"], NO)
    with pytest.raises(TokenSpent):
        request_.actor.resolve_with_error(request_.tokens["desk"], RuntimeError("no such mailbox"))
    assert request_.decision == Decision("approved", "desk")


def test_a_token_cannot_be_guessed(request_: Request) -> None:
    """What is no token is an error, and so is one of another request, or of an earlier life of this one."""
    with pytest.raises(BadToken, match="opens nothing"):
        request_.actor.resolve("anything", YES)
    other = Scenario(Approval, "request-1", nonce=b"of another life")
    other.start(REQUEST)
    token = other.waiting[1].arguments[2]
    with pytest.raises(UsageError, match="not handed out"):
        request_.actor.resolve(token, YES)
    assert request_.actor.query(Approval.outcome) is None


# ---- nobody answers ----------------------------------------------------------------------------------


def test_the_first_is_reminded_once(request_: Request) -> None:
    """After a day, and not before, who was asked is asked again; the token stays good."""
    request_.after(REMIND_AFTER - SECOND)
    assert request_.letters == [("ask", "desk")]
    request_.after(SECOND)
    request_.after(REMIND_AFTER)
    assert request_.letters == [("ask", "desk"), ("remind", "desk")]
    request_.actor.resolve(request_.tokens["desk"], YES)
    assert request_.decision == Decision("approved", "desk")


@pytest.mark.parametrize("who", ["desk", "office"])
def test_then_the_second_is_asked(request_: Request, who: str) -> None:
    """After three days another one is asked, and whoever of the two answers first decides."""
    request_.after(REMIND_AFTER).after(ESCALATE_AFTER - REMIND_AFTER)
    assert request_.letters == [("ask", "desk"), ("remind", "desk"), ("ask", "office")]
    request_.actor.resolve(request_.tokens[who], YES)
    assert request_.decision == Decision("approved", who)


def test_one_no_is_enough_and_the_other_token_is_spent(request_: Request) -> None:
    """What the second says after the first has decided changes nothing."""
    request_.after(REMIND_AFTER).after(ESCALATE_AFTER - REMIND_AFTER)
    request_.actor.resolve(request_.tokens["desk"], NO)
    request_.actor.resolve(request_.tokens["office"], YES)
    assert request_.decision.how == "declined"


def test_a_deadline_ends_it(request_: Request) -> None:
    """After seven days it is too late, also where the process was away all the time, and all are told."""
    request_.after(REMIND_AFTER).after(ESCALATE_AFTER - REMIND_AFTER).after(
        DEADLINE - ESCALATE_AFTER - SECOND
    )
    assert request_.actor.status == "running"
    request_.after(SECOND)
    assert request_.decision == Decision("expired", why="nobody has decided")
    assert request_.letters[-3:] == [("tell", "lab"), ("tell", "desk"), ("tell", "office")]


def test_a_process_that_was_away_catches_up() -> None:
    """Where a week went by with nobody there, the request ends, and nobody is asked in vain."""
    request = Request().post()
    request.actor.advance(2 * DEADLINE)  # all at once: nothing is posted meanwhile
    assert request.decision.how == "expired"


# ---- somebody cannot answer --------------------------------------------------------------------------


def test_who_cannot_answer_is_passed_over(request_: Request) -> None:
    """A failure from outside, as when a mail bounces, asks the second at once and reminds nobody."""
    request_.actor.resolve_with_error(request_.tokens["desk"], RuntimeError("no such mailbox"))
    request_.post()
    assert request_.letters == [("ask", "desk"), ("ask", "office")]
    request_.actor.resolve(request_.tokens["office"], YES)
    assert request_.decision == Decision("approved", "office")


def test_who_cannot_be_asked_is_passed_over() -> None:
    """Where the letter itself cannot be sent, the same; and if it was sent after all, it is listened to."""
    request = Request()
    token = request.actor.waiting[1].arguments[2]
    request.actor.fail(ask, ConnectionError("no mail today"))
    request.post()
    assert request.letters == [("ask", "office")]
    request.actor.resolve(token, YES)
    assert request.decision == Decision("approved", "desk")


def test_the_first_still_counts_where_the_second_cannot_answer(request_: Request) -> None:
    """As long as one is left who could decide, it is waited for; where none is left, nobody waits."""
    request_.after(REMIND_AFTER).after(ESCALATE_AFTER - REMIND_AFTER)
    request_.actor.resolve_with_error(request_.tokens["office"], RuntimeError("on leave"))
    assert request_.actor.status == "running"
    request_.actor.resolve_with_error(request_.tokens["desk"], RuntimeError("on leave"))
    assert request_.decision == Decision("expired", why="nobody has decided")


def test_a_letter_that_is_not_sent_changes_no_decision(request_: Request) -> None:
    """What was decided stays so, whether or not everybody can be told."""
    request_.after(timedelta(0))
    request_.actor.advance(REMIND_AFTER)
    request_.actor.fail(remind, ConnectionError("no mail today"))
    request_.actor.resolve(request_.tokens["desk"], YES)
    request_.actor.fail(tell, ConnectionError("no mail today"))
    assert request_.decision == Decision("approved", "desk")


# ---- not wanted any more -----------------------------------------------------------------------------


def test_a_request_can_be_withdrawn(request_: Request) -> None:
    """Who has asked may take it back at any time, and an answer that comes then changes nothing."""
    request_.after(REMIND_AFTER)
    assert request_.actor.update(Approval.withdraw, "found one").value is None
    request_.actor.resolve(request_.tokens["desk"], YES)
    assert request_.decision == Decision("withdrawn", "lab", "found one")


def test_what_is_decided_cannot_be_withdrawn(request_: Request) -> None:
    """While the others are being told it is refused, and once that is done there is nobody to ask."""
    request_.actor.resolve(request_.tokens["desk"], YES)
    with pytest.raises(Refused, match="approved already"):
        _ = request_.actor.update(Approval.withdraw, "found one").value
    request_.post()
    with pytest.raises(ActorCompleted):
        request_.actor.update(Approval.withdraw, "found one")


# ---- in a runtime ------------------------------------------------------------------------------------


class Post:
    """Where letters arrive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tokens: dict[str, str] = {}
        self.told: dict[str, Decision] = {}
        self.asked = trio.Event()
        self._replace(monkeypatch, ask, self._ask)
        self._replace(monkeypatch, tell, self._tell)

    @staticmethod
    def _replace(monkeypatch: pytest.MonkeyPatch, activity: Activity[Any, Any], function: Any) -> None:
        monkeypatch.setattr(approvals, activity.name, attrs.evolve(activity, function=function, run=function))

    async def _ask(self, approver: str, what: str, token: str) -> None:
        self.tokens[approver] = token
        self.asked.set()

    async def _tell(self, person: str, what: str, decision: Decision) -> None:
        self.told[person] = decision


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """Letters that can be read."""
    return Post(monkeypatch)


async def test_a_week_with_restarts(post: Post) -> None:
    """Asked in one process, passed on in the next, decided in the third, and told in the fourth."""
    journal, clock = MemoryJournal(), Clock(datetime(2026, 1, 1, tzinfo=UTC))
    async with Runtime(journal, entities=[Approval], strict=True, clock=clock) as runtime:
        await runtime.start(REQUEST, "request-1")
        await post.asked.wait()
    clock.at += ESCALATE_AFTER
    post.asked = trio.Event()
    async with Runtime(journal, entities=[Approval], strict=True, clock=clock) as runtime:
        await post.asked.wait()
    assert list(post.tokens) == ["desk", "office"]
    async with Runtime(journal, entities=[Approval], strict=True, clock=clock) as runtime:
        for _ in range(2):  # the same answer again is the same answer
            await runtime.resolve(post.tokens["office"], NO)
        decision = await runtime.actor(Approval, "request-1").result(Decision)
    async with Runtime(journal, entities=[Approval], strict=True, clock=clock) as runtime:
        assert await runtime.actor(Approval, "request-1").result(Decision) == decision
    assert decision == Decision("declined", "office", "we have one")
    assert post.told == dict.fromkeys(("lab", "desk", "office"), decision)


async def test_nobody_answers_by_a_token_that_is_not_theirs(post: Post) -> None:
    """What is no token, one whose request is over, and one of an earlier life, do nothing to a request."""
    async with Runtime(MemoryJournal(), entities=[Approval], strict=True) as runtime:
        request = await runtime.start(REQUEST, "request-1")
        await post.asked.wait()
        for call in (runtime.resolve("anything", YES), runtime.fail("anything", RuntimeError())):
            with pytest.raises(BadToken, match="opens nothing"):
                await call
        await request.update(Approval.withdraw, "found one")
        assert (await request.result(Decision)).how == "withdrawn"
        post.asked = trio.Event()
        earlier = post.tokens["desk"]
        with pytest.raises(TokenSpent, match="it was given up"):
            await runtime.resolve(earlier, YES)
        await runtime.start(REQUEST, "request-1", if_completed="new")
        await post.asked.wait()
        with pytest.raises(UsageError, match="not handed out by this life"):
            await runtime.resolve(earlier, YES)
        assert await request.query(Approval.outcome) is None


async def test_an_operator_sees_whom_it_waits_for(post: Post) -> None:
    """A description names the callback and when it is too late."""
    async with Runtime(MemoryJournal(), entities=[Approval], strict=True) as runtime:
        request = await runtime.start(REQUEST, "request-1")
        await post.asked.wait()
        told = await request.describe()
        assert [one.name for one in told.open] == ["course"]
        assert await request.query(Approval.approvers) == ["desk"]
        (awaited,) = [one for one in told.waiting if one.kind == "callback"]
        assert awaited.due is not None
        assert awaited.due - told.born == DEADLINE
