"""The story of a campaign: segments, recipients in them, who was not reached, and how far it all is."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
import trio

from actorflow import (
    ActorHandle,
    AlreadyStarted,
    HandlerFailed,
    NotAccepted,
    Refused,
    Runtime,
    Unknown,
    activity,
)
from actorflow.testing import Scenario
from entities import campaign as campaigns
from entities.campaign import (
    AT_A_TIME,
    RECIPIENTS_MAX,
    REPORTS,
    SEGMENTS_AT_A_TIME,
    SEGMENTS_MAX,
    SHOWN_MAX,
    TOLD_MAX,
    WHY_MAX,
    Campaign,
    Failure,
    Progress,
    Segment,
    Tally,
    divide,
    read,
    send,
)
from persistence import FaultyJournal, MemoryJournal, Stopped
from tests.domain.props import until
from tests.domain.world import stand_in

ENTITIES = [Campaign, Segment]

pytestmark = pytest.mark.filterwarnings(
    # What gather() was given and had not begun is dropped with the rest, and Python says so.
    "ignore:.*was never awaited",
    "ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """What a test dropped is gone before the next one begins."""
    yield
    gc.collect()


def waits(scenario: Scenario[Campaign] | Scenario[Segment], kind: str) -> int:
    """How many of a kind it waits for."""
    return len([one for one in scenario.waiting if one.kind == kind])


def begun(*segments: str) -> Scenario[Campaign]:
    """A campaign that has these segments."""
    campaign = Scenario(Campaign, "spring")
    campaign.start(Campaign("everybody", "hello"))
    campaign.answer(divide, list(segments))
    return campaign


def opened(recipients: int) -> Scenario[Segment]:
    """A segment with so many recipients."""
    segment = Scenario(Segment, "spring-1/north")
    segment.start(Segment("spring", "hello", "north"))
    segment.answer(read, [f"r{number}" for number in range(recipients)])
    return segment


# ---- the campaign alone ------------------------------------------------------------------------------


def test_segments_run_a_few_at_a_time() -> None:
    """Never more than the bound are under way; each that ends lets the next begin, across restarts."""
    many = SEGMENTS_AT_A_TIME + 5
    campaign = begun(*(f"s{number}" for number in range(many)))
    for ended in range(many):
        assert waits(campaign, "child") == min(SEGMENTS_AT_A_TIME, many - ended)
        assert campaign.query(Campaign.progress).ended == ended
        campaign.restart()
        campaign.answer(f"spring-1/s{ended}", Tally(10, 1, [Failure("somebody", "gone")]))
    result = campaign.result(Progress)
    assert (result.stage, result.sent, result.failed) == ("ended", 250, 25)
    assert result.first == [Failure("somebody", "gone")] * 25


def test_what_segments_tell_is_shown_at_once() -> None:
    """Progress counts those that run as far as they have told, and nothing twice."""
    campaign = begun("north", "south")
    campaign.signal(Campaign.hear, "spring-1/north", Tally(5, 1))
    campaign.signal(Campaign.hear, "spring-1/south", Tally(2, 0))
    campaign.signal(Campaign.hear, "spring-1/north", Tally(9, 1))
    progress = campaign.query(Campaign.progress)
    assert (progress.segments, progress.ended, progress.sent, progress.failed) == (2, 0, 11, 1)
    campaign.answer("spring-1/north", Tally(20, 1))
    campaign.signal(Campaign.hear, "spring-1/north", Tally(9, 1))  # late
    assert campaign.query(Campaign.progress).sent == 22


def test_a_segment_that_fails_keeps_no_other_from_it() -> None:
    """What it had done counts, and it is named."""
    campaign = begun("north", "south")
    campaign.signal(Campaign.hear, "spring-1/north", Tally(5, 1))
    campaign.fail("spring-1/north", Refused("there is no north"))
    campaign.answer("spring-1/south", Tally(7))
    result = campaign.result(Progress)
    assert (result.ended, result.sent, result.failed) == (2, 12, 1)
    assert [(one.who, "there is no north" in one.why) for one in result.lost] == [("north", True)]


def test_what_is_shown_of_failures_is_bounded() -> None:
    """However many fail, a campaign shows some, and counts all."""
    many = SHOWN_MAX // TOLD_MAX + 2
    campaign = begun(*(f"s{number}" for number in range(many)))
    for number in range(many):
        campaign.answer(f"spring-1/s{number}", Tally(0, 500, [Failure("r", "gone")] * TOLD_MAX))
    result = campaign.result(Progress)
    assert (len(result.first), result.failed) == (SHOWN_MAX, 500 * many)


def test_segments_are_bounded() -> None:
    """More than a campaign can count are refused, and nobody hears of it."""
    campaign = begun(*(f"s{number}" for number in range(SEGMENTS_MAX + 1)))
    with pytest.raises(Refused, match=str(SEGMENTS_MAX)):
        campaign.result(Progress)


def test_while_it_is_paused_nothing_begins() -> None:
    """Segments that run are told; others wait; and all go on at ``resume``."""
    campaign = begun(*(f"s{number}" for number in range(SEGMENTS_AT_A_TIME + 1)))
    campaign.update(Campaign.pause)
    assert [(one.handler, one.arguments) for one in campaign.sent] == [
        ("set_paused", (True,))
    ] * SEGMENTS_AT_A_TIME
    campaign.update(Campaign.pause)
    assert campaign.sent == []
    campaign.answer("spring-1/s0", Tally(1))
    assert waits(campaign, "child") == SEGMENTS_AT_A_TIME - 1
    assert campaign.query(Campaign.progress).stage == "paused"
    campaign.restart()
    campaign.update(Campaign.resume)
    assert waits(campaign, "child") == SEGMENTS_AT_A_TIME
    assert {one.arguments for one in campaign.sent} == {(False,)}


def test_a_campaign_that_is_cancelled_hears_its_segments_out() -> None:
    """What they did until then counts; those that had not begun never do."""
    campaign = begun(*(f"s{number}" for number in range(SEGMENTS_AT_A_TIME + 1)))
    campaign.signal(Campaign.hear, "spring-1/s0", Tally(3))
    campaign.cancel()
    campaign.restart()
    campaign.confirm_cancelled("spring-1/s0")  # ended by force: what it has told counts
    for number in range(1, SEGMENTS_AT_A_TIME):
        assert campaign.status == "closing"
        campaign.answer(f"spring-1/s{number}", Tally(2))
    progress = campaign.query(Campaign.progress)
    assert (progress.stage, progress.ended) == ("cancelled", SEGMENTS_AT_A_TIME)
    assert progress.sent == 3 + 2 * (SEGMENTS_AT_A_TIME - 1)
    assert [one.who for one in progress.lost] == ["s0"]


# ---- a segment alone ---------------------------------------------------------------------------------


def test_recipients_are_told_so_many_at_a_time() -> None:
    """Never more than the bound are under way; how far it is, is told four times, its end included."""
    segment = opened(100)
    told = 0
    for number in range(100):
        assert waits(segment, "activity") == min(AT_A_TIME, 100 - number)
        segment.answer(send)
        told += len(segment.sent)
    assert segment.result(Tally) == Tally(100)
    assert told == REPORTS - 1


def test_who_cannot_be_reached_keeps_it_from_nobody() -> None:
    """Failures are kept with their reasons, cut short; the campaign is told the first of them."""
    segment = opened(40)
    for number in range(20):
        segment.fail(send, ConnectionError("gone " * 100))
        segment.answer(send)
        segment.restart()
        assert segment.query(Segment.tally).failed == number + 1
    assert len(segment.query(Segment.not_reached)) == 20
    result = segment.result(Tally)
    assert (result.sent, result.failed, len(result.first)) == (20, 20, TOLD_MAX)
    assert len(result.first[0].why) == WHY_MAX


def test_who_is_named_twice_is_told_once() -> None:
    """A list may name somebody twice; a segment does not mind, and one without anybody ends."""
    segment = Scenario(Segment, "spring-1/north")
    segment.start(Segment("spring", "hello", "north"))
    segment.answer(read, ["a", "b", "a"])
    assert waits(segment, "activity") == 2
    assert opened(0).result(Tally) == Tally()


def test_a_segment_is_bounded() -> None:
    """More than one actor can see to is refused before anybody was told."""
    with pytest.raises(Refused, match=str(RECIPIENTS_MAX)):
        opened(RECIPIENTS_MAX + 1).result(Tally)


def test_a_paused_segment_finishes_what_it_began() -> None:
    """What is being sent is sent, and nothing new is, until it goes on."""
    segment = opened(AT_A_TIME + 10)
    segment.signal(Segment.set_paused, paused=True)
    for _ in range(AT_A_TIME):
        segment.answer(send)
    assert waits(segment, "activity") == 0
    segment.restart()
    segment.signal(Segment.set_paused, paused=False)
    assert waits(segment, "activity") == 10


def test_a_segment_that_is_cancelled_says_how_far_it_was() -> None:
    """It ends with what it has done, for that is how a campaign that is ending hears of it."""
    segment = opened(100)
    segment.answer(send)
    segment.cancel()
    segment.restart()
    segment.answer(send)  # it was under way, and has arrived
    for _ in range(AT_A_TIME - 1):
        segment.confirm_cancelled(send)
    assert segment.result(Tally) == Tally(2)


# ---- both of them, in a runtime ----------------------------------------------------------------------


class Outside:
    """A list of recipients, and a mail that counts; some addresses are wrong, and some calls fail."""

    def __init__(self, segments: int, recipients: int) -> None:
        self.names = {
            f"s{segment}": [f"s{segment}-{number}" for number in range(recipients)]
            for segment in range(segments)
        }
        self.attempts: Counter[str] = Counter()
        self.arrived: Counter[str] = Counter()
        """By recipient, letters that are not the same."""
        self.keys: set[str] = set()
        self.gate: trio.Event | None = None
        """Until which no letter arrives that is sent from now on."""
        self.enough = 1_000_000
        """With so many attempts the gate is shut."""
        self.most = 0
        self._at_once = 0

    async def divide(self, audience: str) -> list[str]:
        return list(self.names)

    async def read(self, segment: str) -> list[str]:
        return self.names[segment]

    async def send(self, text: str, recipient: str) -> None:
        attempt = activity.current()
        self.attempts[recipient] += 1
        if self.attempts.total() == self.enough:
            self.gate = trio.Event()
        gate = self.gate  # who came before it was shut gets through
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        try:
            await trio.lowlevel.checkpoint()
            if gate is not None:
                await gate.wait()
        finally:
            self._at_once -= 1
        if recipient.endswith("7"):
            raise Refused("no such mailbox")
        if recipient.endswith("3") and attempt.number == 1:
            raise ConnectionError("the line was cut")
        if attempt.key not in self.keys:
            self.keys.add(attempt.key)
            self.arrived[recipient] += 1

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for one in (divide, read, send):
            monkeypatch.setattr(campaigns, one.name, stand_in(one, getattr(self, one.name)))

    @property
    def everybody(self) -> set[str]:
        return {one for names in self.names.values() for one in names}


def runtime_of(journal: MemoryJournal) -> Runtime:
    """A process."""
    return Runtime(journal, entities=ENTITIES, strict=True)


async def spring(runtime: Runtime) -> ActorHandle[Campaign]:
    """The campaign; begun, unless that was done."""
    campaign = runtime.actor(Campaign, "spring")
    with contextlib.suppress(AlreadyStarted):
        await campaign.start(Campaign("everybody", "hello"), if_running="use")
    return campaign


async def test_everybody_is_told_and_who_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transient failure is tried again, a wrong address is not; both are counted."""
    outside = Outside(segments=4, recipients=50)
    outside.install(monkeypatch)
    async with runtime_of(MemoryJournal()) as runtime:
        campaign = await spring(runtime)
        result = await campaign.result(Progress)
        assert (result.sent, result.failed, result.ended, result.lost) == (180, 20, 4, [])
        assert {(one.who[-1], one.why) for one in result.first} == {("7", "no such mailbox")}
        assert await campaign.parked() == []
    assert outside.arrived == dict.fromkeys((one for one in outside.everybody if one[-1] != "7"), 1)
    assert {one: outside.attempts[one] for one in outside.everybody} == {
        one: 2 if one[-1] == "3" else 1 for one in outside.everybody
    }
    assert outside.most <= 4 * AT_A_TIME


async def test_what_was_finished_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A life that ends in the middle: the next one begins with those alone whose outcome is not recorded."""
    outside = Outside(segments=4, recipients=100)
    outside.enough = 250
    outside.install(monkeypatch)
    journal = MemoryJournal()
    async with runtime_of(journal) as runtime:
        campaign = await spring(runtime)
        told = await until(lambda: campaign.query(Campaign.progress), lambda progress: progress.sent > 40)
    outside.gate = trio.Event()
    outside.attempts.clear()
    async with runtime_of(journal) as runtime:
        campaign = await spring(runtime)
        tallies = [await runtime.actor(Segment, f"spring-1/s{one}").query(Segment.tally) for one in range(4)]
        recorded = sum(tally.sent + tally.failed for tally in tallies)  # the gate is shut: no more come
        assert told.sent + told.failed <= recorded < 250
        outside.enough = 1_000_000
        outside.gate.set()
        result = await campaign.result(Progress)
    assert (result.sent, result.failed) == (360, 40)
    assert len(outside.attempts) == 400 - recorded
    assert set(outside.arrived.values()) == {1}


async def test_no_crash_tells_anybody_twice(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crashed again and again: everybody is told under one key, and each outcome is counted once."""
    outside = Outside(segments=3, recipients=60)
    outside.install(monkeypatch)
    journal = FaultyJournal(seed, fail=0.1)
    lives = 0
    result: Progress | None = None
    while result is None:
        lives += 1
        with contextlib.suppress(Stopped, Unknown, NotAccepted):
            async with runtime_of(journal) as runtime:
                result = await (await spring(runtime)).result(Progress)
    assert (result.sent, result.failed, result.lost) == (162, 18, [])
    assert set(outside.arrived.values()) == {1}, f"{lives} lives"
    assert len(outside.arrived) == 162


async def test_it_is_paused_all_the_way_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is under way arrives, nobody new is begun with, a restart changes nothing, and it goes on."""
    outside = Outside(segments=3, recipients=100)
    outside.gate = trio.Event()
    outside.install(monkeypatch)
    journal = MemoryJournal()
    async with runtime_of(journal) as runtime:
        campaign = await spring(runtime)
        await until(campaign.describe, lambda _: outside.most == 3 * AT_A_TIME)
        await campaign.update(Campaign.pause)
        for number in range(3):
            segment = runtime.actor(Segment, f"spring-1/s{number}")
            await until(segment.history, lambda entries: "signal set_paused" in [one.what for one in entries])
        outside.gate.set()
        for number in range(3):
            segment = runtime.actor(Segment, f"spring-1/s{number}")
            await until(partial(segment.query, Segment.tally), all_of_them_answered)
        assert len(outside.attempts) == 3 * AT_A_TIME
    async with runtime_of(journal) as runtime:
        campaign = await spring(runtime)
        assert (await campaign.query(Campaign.progress)).stage == "paused"
        assert len(outside.attempts) == 3 * AT_A_TIME
        await campaign.update(Campaign.resume)
        result = await campaign.result(Progress)
    assert (result.stage, result.sent, result.failed) == ("ended", 270, 30)
    assert set(outside.arrived.values()) == {1}


def all_of_them_answered(tally: Tally) -> bool:
    """Whether a segment has the outcome of all that it began with."""
    return tally.sent + tally.failed == AT_A_TIME


async def test_it_is_cancelled_all_the_way_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments end with it; what they had done is counted, and nobody new is told."""
    outside = Outside(segments=3, recipients=100)
    outside.enough = 250
    outside.install(monkeypatch)
    async with runtime_of(MemoryJournal()) as runtime:
        campaign = await spring(runtime)
        await until(lambda: campaign.query(Campaign.progress), lambda progress: progress.sent > 40)
        await campaign.cancel()
        with pytest.raises(HandlerFailed, match="ended from outside"):
            await campaign.result()
        for number in range(3):
            segment = await runtime.actor(Segment, f"spring-1/s{number}").describe()
            assert segment.status in {"cancelled", "completed"}
        before = outside.attempts.copy()
        progress = await campaign.query(Campaign.progress)
        assert progress.sent == len(outside.arrived) < 270
        assert {one.handler for one in await campaign.parked()} <= {"hear"}  # told when it was ending
    assert outside.attempts == before
