"""What does verifying find, and what does it let through?  Journals of one version, read with another."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from attrs import field

from actorflow import Limits, Runtime, UsageError, activity, actor, entity, main, signal, sleep
from actorflow.testing import Finding, Report, verify
from actorflow.testing.report import CAUSES_MAX, KEPT_OF_A_CAUSE, Tally
from persistence import LmdbJournal, MemoryJournal
from tests.verify.shop import ADD, PAYS, Shop, changed

NOTE = """
    @signal
    def note(self, text: str) -> None:
        self.notes.append(text)
"""
UP = """    views: str

    @upcast(1)
    @staticmethod
    def up(stored):
        views = str(stored.pop("looks"))
        return {**stored, "views": views}
"""


def _said(shop: Shop, store: Path, *pairs: tuple[str, str], limits: Limits | None = None) -> Report:
    module = shop.load(changed(*pairs))
    journal = LmdbJournal(store, read_only=True)
    return verify(journal, entities=[module.Cart, module.Order], limits=limits)


# ---- changes -----------------------------------------------------------------------------------------

COMPATIBLE = {
    "none": (),
    "a field more": (("    looks: int = 0", "    looks: int = 0\n    more: str = ''"),),
    "a bug mended": (("self.items.get(sku, 0) + count", "self.items.get(sku, 1) + count"),),
    "a handler renamed": (
        ("    @signal\n    def note(", "    @signal(aliases=['note'])\n    def remark("),
        ("    @timer\n    def give_up(", "    @timer(aliases=['give_up'])\n    def forget("),
        ("self.give_up()", "self.forget()"),
    ),
    "an activity renamed": (
        ("@activity\nasync def charge", "@activity(aliases=['charge'])\nasync def bill"),
        ("await charge", "await bill"),
    ),
    "asks for something else behind a patch": (
        ("signal, sleep", "patched, signal, sleep"),
        (
            "        await sleep(",
            "        if patched('rest'):\n            await charge('', 1)\n        await sleep(",
        ),
    ),
    "another state, with an upcast": (
        ("signal, sleep", "upcast, signal, sleep"),
        ("@entity\nclass Cart:", "@entity(version=2)\nclass Cart:"),
        ("    looks: int = 0\n", UP),
        ("dict[str, int] = field(factory=dict)", "dict[str, int]"),
    ),
}


@pytest.mark.parametrize("change", COMPATIBLE)
def test_what_the_docs_allow_passes(shop: Shop, change: str) -> None:
    """A change that needs nothing, or that has what it needs, is let through."""
    shop.make()
    # An entity without defaults cannot be begun by a message, so such code is no replay of the beginning.
    stores = [shop.closed] if "upcast" in change else [shop.backup, shop.closed]
    for store in stores:
        report = _said(shop, store, *COMPATIBLE[change])
        assert report.ok, report
        assert (report.actors, report.verified) == (6, 6)


WRONG = {
    "asks for something else": (
        [(PAYS, "        await sleep(timedelta(days=1))\n")],
        [
            "1. 3 actors of Order: it would be set aside",
            "Order 'order-000', message 2, handler Order.pay: effect 0 differs from the record",
            "recorded: Schedule(name='charge', body=('order', 100), options=None)",
            "produced: Sleep(due=",
            "so do 'order-001', 'order-002'",
            "goes behind patched('id')",
            "3 findings, 1 cause",
        ],
    ),
    "an alias forgotten": (
        [("async def charge", "async def bill"), ("await charge", "await bill")],
        ["if it was renamed, declare it with aliases=['charge']"],
    ),
    "a parameter more": (
        [
            ("cents: int) -> str", "cents: int, fast: bool) -> str"),
            ('"order", cents', '"order", cents, True'),
        ],
        ["what Order 'order-000' has asked of charge", "give the new parameter a default"],
    ),
    "a handler removed that a message waits for": (
        [(NOTE, "")],
        ["what waits would be parked", "has no handler 'note'; it has: pay", "aliases=['note']"],
    ),
    "another parameter of a message that waits": (
        [("text: str) -> None", "text: int) -> None"), ("append(text)", "append(str(text))")],
        ["what waits would be parked", "Order 'order-000': ", "3 findings, 1 cause"],
    ),
    "a handler removed that is suspended": (
        [("    @signal\n    async def pay", "    async def pay")],
        ["the handler differs from the record", "one that is gone has to come back"],
    ),
    "smaller limits": (
        [("@entity\nclass Order", "@entity(limits=Limits(run_records=2))\nclass Order")],
        ["it is over a bound", "3 records are in its run (run_records=2)", "raise Limits.run_records"],
    ),
    "a handler that raises": (
        [("        self.items[sku] =", "        self.itmes[sku] =")],
        ["3 actors of Cart", "it raised AttributeError"],
    ),
}


@pytest.mark.parametrize("change", WRONG)
def test_what_would_go_wrong_is_told(shop: Shop, change: str) -> None:
    """What would set actors aside, or park what waits, is found, with the cause and what to do."""
    shop.make()
    pairs, said = WRONG[change]
    report = _said(shop, shop.backup, *pairs)
    assert not report.ok
    assert [line for line in said if line not in str(report)] == [], report


def test_a_state_that_the_fields_do_not_fit(shop: Shop) -> None:
    """A field that went without an upcast is found in a snapshot, where there is nothing to replay."""
    shop.make()
    report = _said(shop, shop.closed, ("    looks: int = 0\n", ""))
    (cause,) = report.causes
    assert (cause.count, cause.findings[0].error, cause.findings[0].consequence) == (
        3,
        "DecodeError",
        "set aside",
    )
    assert "Cart 'cart-000'" in str(cause)
    assert "looks" in str(cause)


def test_a_timer_whose_handler_is_gone(shop: Shop) -> None:
    """A timer is armed for a month from now: that its handler went is known today."""
    shop.make()
    report = _said(shop, shop.closed, ("    @timer\n", ""), (ADD, ""))
    assert [(one.key, one.error, one.handler) for one in report.findings] == [
        (f"cart-00{number}", "UnknownHandler", "give_up") for number in range(3)
    ]


def test_limits_are_the_runtimes_unless_the_entity_has_its_own(shop: Shop) -> None:
    """Limits given as a runtime is given them count for entities that say nothing themselves."""
    shop.make()
    assert _said(shop, shop.backup).ok
    report = _said(shop, shop.backup, limits=Limits(timers=1, run_records=2))
    assert {(one.entity, one.error) for one in report.findings} == {("Order", "LimitExceeded")}


# ---- the past ----------------------------------------------------------------------------------------

mood: list[int] = []


@entity(name="Diary")
class FirstDiary:
    lines: list[str] = field(factory=list)

    @signal
    def write(self, line: str) -> None:
        self.lines.append(line)

    @signal
    def tear(self) -> None:
        self.lines.append(f"torn {len(mood)}")


@entity(name="Diary")
class WithoutTear:
    lines: list[str] = field(factory=list)

    @signal
    def write(self, line: str) -> None:
        self.lines.append(line.upper())


@entity(name="Diary")
class WithoutState:
    pages: int = 0

    @signal
    def turn(self) -> None:
        self.pages += 1


async def _diary() -> MemoryJournal:
    """Two snapshots, and records before, between and behind them."""
    journal = MemoryJournal()
    for line in ("one", "two"):
        async with Runtime(journal, entities=[FirstDiary]) as runtime:
            diary = runtime.actor(FirstDiary, "mine")
            await diary.signal(FirstDiary.write, line)
            if line == "one":
                await diary.signal(FirstDiary.tear)
    return journal


async def test_the_past_is_replayed_on_demand() -> None:
    """A handler that only old records need is missed by at(seq) alone, and found only if one asks for it."""
    journal = await _diary()
    today = verify(journal, entities=[WithoutTear])
    assert (today.ok, today.messages) == (True, 0)
    past = verify(journal, entities=[WithoutTear], history=True)
    assert [(one.consequence, one.handler) for one in past.divergences] == [("past", "tear")]
    whole = verify(journal, entities=[FirstDiary], history=True)
    assert (whole.ok, whole.messages) == (True, 3)


async def test_replay_that_comes_to_another_state_than_its_snapshot() -> None:
    """Where the same code made snapshot and replay, they have to agree."""
    journal = await _diary()
    mood.append(1)
    try:
        report = verify(journal, entities=[FirstDiary], history=True)
    finally:
        mood.clear()
    (found,) = report.divergences
    assert found.what == "the state in its snapshot"
    assert ("torn 0" in found.recorded, "torn 1" in found.produced) == (True, True)


# ---- what waits --------------------------------------------------------------------------------------


@entity
class Sender:
    sent: int = 0

    @signal
    def send(self) -> None:
        self.sent += 1
        actor(FirstDiary, "theirs").signal(FirstDiary.tear)


async def test_a_letter_that_nobody_can_take() -> None:
    """A letter waits for an entity that was not there; when it is there again, its handler must be too."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Sender]) as runtime:
        await runtime.actor(Sender, "one").signal(Sender.send)
    assert verify(journal, entities=[Sender, FirstDiary]).ok
    report = verify(journal, entities=[Sender, WithoutTear])
    assert [(one.entity, one.key, one.handler) for one in report.findings] == [("Diary", "theirs", "tear")]
    assert report.actors == 2


@entity(name="Watch")
class Watch:
    ticks: int = 0

    @main(restartable=True)
    async def run(self) -> None:
        await sleep(timedelta(days=1))

    @signal
    def tick(self) -> None:
        self.ticks += 1


@entity(name="Watch")
class WithoutMain:
    ticks: int = 0

    @signal
    def tick(self) -> None:
        self.ticks += 1


async def test_a_main_that_is_gone() -> None:
    """An actor with a main that is open, or is to begin again, cannot go on without it."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Watch], limits=Limits(continue_records=3)) as runtime:
        for _ in range(9):
            await runtime.actor(Watch, "one").signal(Watch.tick)
    assert verify(journal, entities=[Watch]).ok
    report = verify(journal, entities=[WithoutMain])
    assert [(one.key, one.consequence) for one in report.findings] == [("one", "set aside")]


async def test_suspects_are_counted() -> None:
    """Who is left alone since the process died of it is told: no replay here says that it would be tried."""
    journal = await _diary()
    journal.open(["suspects"])
    with journal.write() as batch:
        batch.put("suspects", b"Diary\0mine\0", (2).to_bytes(2, "big"))
    journal.close()
    report = verify(journal, entities=[FirstDiary])
    assert (report.ok, report.suspects) == (True, 1)
    assert "1 actor during whose activation the process has died" in str(report)


# ---- damage ------------------------------------------------------------------------------------------


def _damage(path: Path, table: str, beginning: bytes) -> None:
    journal = LmdbJournal(path)
    journal.open([table])
    (key, data) = journal.scan(table, beginning, None, at_most=1)[0]
    with journal.write() as batch:
        batch.put(table, key, data[:-1] + bytes([data[-1] ^ 1]))
    journal.close()


@pytest.mark.parametrize("table", ["heads", "snapshots"])
def test_a_damaged_row_harms_one_actor(shop: Shop, table: str) -> None:
    """Who has a damaged head or snapshot is reported, and the others are verified all the same."""
    shop.make()
    _damage(shop.closed, table, b"Cart\0cart-001\0")
    report = _said(shop, shop.closed)
    assert [one.key for one in report.findings] == ["cart-001"]
    assert report.verified == 6


def test_a_damaged_frame_is_no_actors(shop: Shop) -> None:
    """Where a runtime would not open the journal at all, that is what is said."""
    shop.make()
    journal = LmdbJournal(shop.backup)
    journal.open([])
    with journal.write() as batch:
        batch.append(b"no frame")
    journal.close()
    report = _said(shop, shop.backup)
    assert "a runtime would not open this journal" in str(report)
    assert (report.ok, report.findings[0].error) == (False, "DecodeError")


async def test_a_sample_is_taken_by_chance() -> None:
    """The same seed takes the same actors, another takes others, and no more than were asked for."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[FirstDiary]) as runtime:
        for number in range(60):
            await runtime.actor(FirstDiary, f"diary-{number}").signal(FirstDiary.tear)

    def sample(seed: int) -> list[str]:
        report = verify(journal, entities=[WithoutState], sample=5, seed=seed)
        assert (report.actors, report.verified) == (60, 5)
        return [one.key for one in report.findings]

    assert sample(1) == sample(1) == sorted(sample(1))
    assert len({tuple(sample(seed)) for seed in range(4)}) > 1
    one = verify(journal, entities=[WithoutState], actors=["Diary/diary-7"])
    assert [found.key for found in one.findings] == ["diary-7"]


# ---- the report --------------------------------------------------------------------------------------


def _rows(journal: MemoryJournal) -> dict[str, list[tuple[bytes, bytes]]]:
    tables = ("heads", "snapshots", "history", "ids", "wakes", "meta")
    journal.open(tables)
    try:
        return {table: journal.scan(table, b"", None, at_most=99) for table in tables}
    finally:
        journal.close()


async def test_nothing_is_written() -> None:
    """Also a journal that could be written is as it was before."""
    journal = await _diary()
    before = _rows(journal)
    assert before["snapshots"]
    verify(journal, entities=[FirstDiary], history=True)
    assert _rows(journal) == before


def test_two_classes_of_one_name(shop: Shop) -> None:
    """Which of two versions is to be verified has to be said."""
    with pytest.raises(UsageError, match="two classes are the entity 'Diary'"):
        verify(MemoryJournal(), entities=[FirstDiary, WithoutTear])


async def test_an_empty_journal_is_no_proof() -> None:
    """Where there was nobody to verify, the report says so."""
    report = verify(MemoryJournal(), entities=[FirstDiary])
    assert (report.ok, str(report).splitlines()[-1]) == (True, "there was nothing to verify")


def _finding(number: int, fact: str) -> Finding:
    return Finding("Cart", f"cart-{number}", "set aside", "DecodeError", fact)


def test_what_is_kept_is_bounded() -> None:
    """A million actors that go wrong fill no memory: numbers stay, and the first of each cause."""
    tally = Tally()
    for number in range(KEPT_OF_A_CAUSE + 5):
        tally.add(_finding(number, f"Cart 'cart-{number}': {number} rows are gone"))
    (cause,) = tally.causes()
    assert (cause.count, len(cause.findings)) == (KEPT_OF_A_CAUSE + 5, KEPT_OF_A_CAUSE)
    for number in range(CAUSES_MAX + 5):
        tally.add(_finding(number, "x" * number))
    assert len(tally.causes()) == CAUSES_MAX + 1
    assert [one.count for one in tally.causes() if "of still other causes" in str(one)] == [6]
    assert sum(one.count for one in tally.causes()) == KEPT_OF_A_CAUSE + CAUSES_MAX + 10


attempts: list[int] = []


@activity
async def attempt() -> int:
    """Never come to an end."""
    attempts.append(1)
    await trio.sleep_forever()
    return 1


@entity
class Asker:
    answer: int = 0

    @signal
    async def ask(self) -> None:
        self.answer = await attempt()


async def test_activities_do_not_run() -> None:
    """What an actor awaits is not begun by verifying it: that is a runtime's to do."""
    journal = MemoryJournal()
    limits = Limits(close_grace=timedelta(microseconds=1))
    async with Runtime(journal, entities=[Asker], limits=limits) as runtime:
        await runtime.actor(Asker, "one").signal(Asker.ask)
        while not attempts:
            await trio.lowlevel.checkpoint()
    report = verify(journal, entities=[Asker], limits=limits)
    assert (report.ok, report.messages, attempts) == (True, 1, [1])
