"""In a run that is too long nothing begins that could not go on; an answer is always taken."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from attrs import field

import actorflow as af
from actorflow import Limits, TokenSpent, callback, entity, main, signal, update
from actorflow._core.facts import OK, RESOLVE, Input
from actorflow.testing import Scenario
from tests.core.proof import bare, prove, run, sent
from tests.core.shop import act, release

DAY = timedelta(days=1)


@entity(limits=Limits(run_records=6, continue_records=5))
class Guide:
    """It has a long talk, and besides that a course, and signals that await something."""

    lost: bool = True
    log: list[str] = field(factory=list)

    @main
    async def course(self) -> str:
        await release("course")
        return "done"

    @update(interleave=True)
    async def talk(self) -> None:
        with suppress(af.HistoryFull):
            while True:
                await act(0)

    @signal(interleave=True)
    async def lead(self) -> None:
        if self.lost:
            self.lost = False
            raise ValueError("lost")
        await release("lead")
        self.log.append("led")

    @signal(interleave=True)
    def find(self) -> None:
        self.lost = False


def talking() -> Scenario[Guide]:
    """Its run is so long that nobody may ask for more."""
    guide = Scenario(Guide)
    guide.start(Guide(), delay=DAY)
    guide.signal(Guide.lead)
    guide.update(Guide.talk)
    guide.signal(Guide.find)
    while not guide._actor.exhausted:
        guide.answer(act, 1)
    return guide


def end_talk(guide: Scenario[Guide]) -> None:
    """Have room again."""
    assert guide.open == ["talk"]
    guide.answer(act, 1)
    assert "talk" not in guide.open


def test_main_begins_when_there_is_room_for_it() -> None:
    """It would fail where it first awaits, and the life with it."""
    guide = talking()
    guide.advance(DAY)
    assert (guide.status, guide.open) == ("running", ["talk"])
    guide.restart()
    end_talk(guide)
    guide.answer(release)
    assert guide.result(str) == "done"
    prove(guide)


def test_what_an_operator_retries_waits_for_room() -> None:
    """It would be parked again, and he would think that it is not mended."""
    guide = talking()
    guide.retry(guide.parked[0].seq)
    assert (guide.mailbox, len(guide.parked)) == (["retry"], 1)
    guide.restart()
    end_talk(guide)
    guide.answer(release)
    assert (guide.state.log, guide.parked) == (["led"], [])
    prove(guide)


def test_what_another_actor_has_sent_waits_for_room() -> None:
    """It would be parked, although nothing is wrong with it."""
    guide = bare(Guide)
    run(guide, sent(Guide.find))
    run(guide, sent(Guide.talk))
    talk = next(one for one in guide.open.values() if one.handler.name == "talk")
    while not guide.exhausted:
        (ref,) = talk.pending
        run(guide, Input(RESOLVE, OK, b"\x01", ref=ref))
    run(guide, sent(Guide.lead, inside=True))
    assert (len(guide.mailbox), guide.parked) == (1, {})


# ---- answers from outside ----------------------------------------------------------------------------


@entity(limits=Limits(id_bytes=1_000))
class Caller:
    """It asks outside, again and again."""

    token: str = ""
    answers: int = 0

    @signal
    async def call(self) -> None:
        asked = callback(str, timeout=DAY)
        self.token = asked.token
        await asked
        self.answers += 1


def test_answers_are_remembered_only_as_far_as_ids_are() -> None:
    """However many come, memory is bounded; the answer is taken, and only its repetition is not known."""
    caller = Scenario(Caller)
    for n in range(30):
        caller.signal(Caller.call)
        caller.resolve(caller.state.token, "yes")
        assert caller.state.answers == n + 1
    assert caller._actor.ids.bytes_held < 1_200
    with pytest.raises(TokenSpent):
        caller.resolve(caller.state.token, "yes")
    caller.advance(2 * DAY)
    caller.signal(Caller.call)
    caller.resolve(caller.state.token, "yes")
    caller.resolve(caller.state.token, "yes")
    with pytest.raises(TokenSpent):
        caller.resolve(caller.state.token, "no")
    prove(caller)
