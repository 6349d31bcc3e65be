"""Damage: found, named, contained to the actor it belongs to, and over once somebody has mended it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actorflow import DecodeError, FaultError, Limits, Suspect
from actorflow._codec.records import RecordCodec, seal, unseal
from actorflow._core import replay
from actorflow._core.actor import Actor
from actorflow._core.facts import Address
from actorflow._core.once import Ids
from actorflow._runtime import shelf
from actorflow._runtime.tables import ERRANDS, HEADS, HISTORY, IDS, LETTERS, SNAPSHOTS, SUSPECTS, path_of
from persistence import MemoryJournal

from .conftest import Knobs
from .drive import Drive, holding
from .oracle import check, histories
from .town import TOWN, Account, Basket, Child, Echo, Parent
from .works import policy, yard

_codec = RecordCodec()
NAMED = (HEADS, SNAPSHOTS, HISTORY, IDS)
"""Of whose rows an actor is made: damage is noticed by whoever activates it."""


def peopled() -> Drive:
    """A journal with rows in every table, and frames in the log that the tables do not know."""
    drive = Drive(limits=Limits(log_bytes=1, history_messages=5))
    for key in ("a", "b", "c"):
        for n in range(6):
            drive.send(Account, key, Account.deposit, f"{key}{n}", 100, id_=f"{key}{n}")
    drive.send(Basket, "x", Basket.arm, "t", 1, 7_200)
    drive.send(Parent, "p", Parent.adopt, "child", "cancel")
    drive.settle()
    drive = drive.reopen(entities=[one for one in TOWN if one is not Child], limits=None)
    drive.send(Parent, "p", Parent.adopt, "kid", "cancel")
    drive.send(Parent, "p", Parent.adopt, "brat", "cancel")
    drive.commit()
    drive = drive.crash(entities=TOWN)
    for key in ("a", "b", "c"):
        drive.send(Account, key, Account.deposit, f"{key}9", 100, id_=f"{key}9")
    drive.send(Account, "a", Account.pay, "pay", "b", 30)
    drive.commit()
    return drive


def rows() -> Iterator[tuple[str, bytes]]:
    """What can be damaged."""
    drive = peopled()
    for table in (*NAMED, LETTERS):
        found = drive.journal.scan(table, b"\0", None, at_most=100_000)
        for key, _ in found:
            yield table, key


ROWS = list(rows())


CASES = [
    (number, how)
    for number, (table, _) in enumerate(ROWS)
    for how in ("flip", "drop", "cut", "later")
    # A letter that is gone is as if it had been delivered: that is what the removal of its row says.
    if (table, how) != (LETTERS, "drop")
    # What is in these says by itself who has written it.
    if how != "later" or table not in (SNAPSHOTS, HISTORY)
]


def whose(table: str, key: bytes) -> Address:
    """The actor to which a row belongs."""
    entity, name, *_ = key.split(b"\0")
    return entity.decode(), name.decode()


def test_there_is_something_to_damage() -> None:
    """The journal that is damaged below has rows in every table that an actor is made of."""
    assert {table for table, _ in ROWS} == {*NAMED, LETTERS}
    assert len(ROWS) > 40


@pytest.mark.parametrize(("number", "how"), CASES)
def test_a_damaged_row_harms_the_actor_it_belongs_to(number: int, how: str) -> None:
    """That one raises an error that names it, the others go on, the log is cut off; mended, it is back."""
    table, key = ROWS[number]
    address = whose(table, key)
    drive = peopled()
    expected = histories(drive.journal.history)
    drive = drive.crash()
    value = drive.journal.read(table, key)
    assert value is not None
    _damage(drive.journal, table, key, value, how)
    last = max(
        (key for table, key in ROWS if table == SNAPSHOTS and whose(table, key) == address), default=b""
    )
    if table in (SNAPSHOTS, HISTORY) and key < last[: -8 * bool(last)]:
        _see_only_the_past_is_lost(drive, address, table)
        return
    drive.journal.close()
    drive = Drive(drive.journal)
    with pytest.raises(FaultError) as raised:
        drive.population.resident(address, drive.now)
    assert address[1] in str(raised.value), "it names the actor"
    assert address[0] in str(raised.value), "it names the entity"
    if how == "later":
        assert "it has format 2; this release reads up to 1\n  hint: open it with" in str(raised.value)
    for other in ("a", "b", "c"):
        if other != address[1]:
            assert drive.send(Account, other, Account.deposit, "new", 1).told
    _see_cut_off(drive)
    for again in range(2):
        with pytest.raises(FaultError):
            drive.population.residency.readmit(address, drive.now)
        drive.settle()
        if again:
            drive.journal.close()
            drive = Drive(drive.journal, limits=Limits(log_bytes=1), now=drive.now)
            drive.settle()
    with drive.journal.write() as batch:
        batch.put(table, key, value)
    drive.population.residency.readmit(address, drive.now)
    drive.settle()
    kept = expected.get(address, [])
    replayed = _replayed(drive, address, kept)
    resident = drive.population.resident(address, drive.now)
    if address[0] == "Account":
        assert resident.actor.state.cents == replayed.state.cents
        assert resident.actor.state.seen == replayed.state.seen
    assert resident.actor.seq >= replayed.seq
    drive = drive.reopen()
    assert drive.population.resident(address, drive.now).actor.seq >= replayed.seq


def _see_only_the_past_is_lost(drive: Drive, address: Address, table: str) -> None:
    """What came before the last snapshot nobody needs but who asks for it."""
    resident = drive.population.resident(address, drive.now)
    assert resident.actor.seq > 0
    home, path = drive.population.shelf, resident.path
    with pytest.raises(DecodeError, match=f"{address[0]} '{address[1]}'"):  # noqa: PT012 - of either the one
        if table == HISTORY:
            home.records(path, 0, resident.head.records)
        else:
            home.snapshot_at(path, resident.head.snapshots[0][0])


def _replayed(drive: Drive, address: Address, records: list[bytes]) -> Actor:
    spec = drive.population.specs[address[0]]
    actor = Actor(spec, address[1], Ids.within(spec.limits.id_window, spec.limits.id_bytes))
    replay.replay(actor, records)
    return actor


def later(row: bytes) -> bytes:
    """The row as a later release might write it: whole, and with more in it."""
    format_, *fields = _codec.unpack(unseal(row, "a row"))
    return seal(_codec.pack((format_ + 1, *fields, "what nobody knows yet")))


@pytest.mark.parametrize("known", [True, False])
def test_an_errand_that_a_later_release_has_counted_is_not_counted_anew(known: bool) -> None:
    """Its actor is set aside, and begins nothing; whoever can read the row goes on counting."""
    drive = yard(retry=policy(5, 100, 100))
    drive.want("one")
    drive.want("two", "b")
    drive.end("one", ValueError("no"))
    drive.settle()
    ((key, value),) = drive.journal.scan(ERRANDS, b"\0", None, at_most=10)
    drive = drive.crash()
    _damage(drive.journal, ERRANDS, key, value if known else later(value), "as it is")
    drive.hear()
    drive.later(1_000)
    drive.settle()
    assert drive.numbers("two") == [1, 2], "the others go on"
    assert drive.numbers("one") == ([1, 2] if known else [1])
    if not known:
        with pytest.raises(DecodeError, match="format 2; this release reads up to 1"):
            drive.population.resident(("Works", "a"), drive.now)
        _damage(drive.journal, ERRANDS, key, value, "as it is")
        drive.population.residency.readmit(("Works", "a"), drive.now)
        drive.later(1_000)
        drive.settle()
    assert drive.numbers("one") == [1, 2]


def _damage(journal: MemoryJournal, table: str, key: bytes, value: bytes, how: str) -> None:
    with journal.write() as batch:
        if how == "drop":
            batch.delete(table, key)
        elif how == "flip":
            place = len(value) // 2
            batch.put(table, key, value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :])
        elif how == "later":
            batch.put(table, key, later(value))
        elif how == "cut":
            batch.put(table, key, value[:-1])
        else:
            batch.put(table, key, value)


def _see_cut_off(drive: Drive) -> None:
    """The log does not grow for the sake of one that cannot be read."""
    drive.population.checkpoint._log_bytes = 1
    for n in range(12):
        drive.send(Basket, "z", Basket.add, f"t{n}", "sku")
    drive.settle()
    assert drive.journal.statistics().frames < 4


@pytest.mark.parametrize("commits", range(0, 60, 3))
def test_a_head_that_cannot_be_read_loses_nothing_of_the_log(commits: int, knobs: Knobs) -> None:
    """Whenever the process dies, what only the log has of such an actor is there when its head is mended."""
    knobs.slices(1)
    knobs.forgets(2)
    drive = Drive(limits=Limits(log_bytes=300))
    for n in range(12):
        for key in ("a", "b", "c"):
            drive.send(Account, key, Account.deposit, f"{key}{n}", 1)
    drive = drive.crash(min(commits, len(drive.journal.history)))
    expected = histories(drive.journal.history).get(("Account", "b"), [])
    path = path_of(("Account", "b"))
    head = drive.journal.read(HEADS, path)
    if head is None:
        return
    drive.journal.close()
    journal = holding(drive.journal.history)
    journal.open(drive.journal._standing.tables)
    with journal.write() as batch:
        batch.put(HEADS, path, b"damaged")
    journal.close()
    sent, drive = drive.sent, Drive(journal, limits=Limits(log_bytes=1))
    drive.sent = sent
    for n in range(20):
        drive.send(Account, "c", Account.deposit, f"new{n}", 1)
        if n % 7 == 3:
            drive = drive.crash()
            drive.hear()
    drive.settle()
    assert drive.journal.statistics().frames < 5
    with drive.journal.write() as batch:
        batch.put(HEADS, path, head)
    drive.population.residency.readmit(("Account", "b"), drive.now)
    for _ in range(3):
        assert drive.actor(Account, "b").seq == len(expected)
        drive.settle()
        check(drive)
        drive = drive.crash()
        drive.later(11)


def test_a_list_shows_the_others_beside_one_that_cannot_be_read() -> None:
    """Waking nobody, it says of that one only that it is broken."""
    from actorflow._runtime.looking import _kept

    drive = peopled()
    with drive.journal.write() as batch:
        batch.put(HEADS, path_of(("Account", "b")), b"damaged")
    shown = _kept(drive, path_of(("Account", "b")))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert shown is not None
    assert (shown.key, shown.status) == ("b", "broken")


# ---- the log -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_damaged_frame_is_named_and_the_journal_not_opened(place: int) -> None:
    """It may hold what anybody was acknowledged: nobody is served past it, and nothing stays locked."""
    drive = Drive()
    for n in range(5):
        drive.send(Account, "a", Account.deposit, f"t{n}", 1)
    journal = drive.journal
    journal.close()
    frame = bytearray(journal._held[3])
    frame[place] ^= 1
    journal._held[3] = bytes(frame)
    for _ in range(2):
        with pytest.raises(DecodeError, match="frame 3 of the log"):
            Drive(journal)


def test_a_frame_that_is_gone_is_named() -> None:
    """A hole in the log is no less than damage."""
    drive = Drive()
    for n in range(5):
        drive.send(Account, "a", Account.deposit, f"t{n}", 1)
    journal = drive.journal
    journal.close()
    frames = dict(journal._held)
    del frames[3]
    journal.frames = lambda after=0: iter(frames.items())
    with pytest.raises(DecodeError, match="frame 3 of the log"):
        Drive(journal)


@pytest.mark.parametrize("table", ["wakes", "statuses", "letters", SUSPECTS])
def test_a_key_that_says_nothing_harms_nobody(table: str) -> None:
    """Where even the name of an actor is damaged there is nobody to set aside, and the others go on."""
    drive = peopled()
    with drive.journal.write() as batch:
        batch.put(table, b"\0\0\0\0\0\0\0\1\xff\xfe", b"")
        batch.put(table, b"\0\0\0\0\0\0\0\1nobody", b"")
    drive.journal.close()
    drive = Drive(drive.journal)
    drive.settle()
    drive.later(1)
    assert drive.send(Account, "a", Account.deposit, "new", 1).told


# ---- actors that are no good -------------------------------------------------------------------------


def test_an_actor_that_killed_the_process_twice_is_set_aside() -> None:
    """Whoever was being activated when the process died twice is left alone, until it is readmitted."""
    drive = Drive(limits=Limits(log_bytes=1))
    for key in ("a", "b"):
        drive.send(Account, key, Account.deposit, key, 5)
    drive.settle()
    for _ in range(2):
        drive.journal.note(path_of(("Account", "b")))
        drive.journal.close()
        drive = Drive(drive.journal)
        assert drive.journal.noted() == b""
    drive.settle()
    assert drive.state(Account, "a").cents == 5
    with pytest.raises(Suspect, match="Account 'b'"):
        drive.resident(Account, "b")
    drive = drive.reopen()
    drive.send(Account, "a", Account.pay, "t", "b", 2)
    with pytest.raises(Suspect):
        drive.resident(Account, "b")
    assert ("Account", "b") in drive.population.residency.broken
    drive.settle()
    drive.population.residency.readmit(("Account", "b"), drive.now)
    drive.settle()
    assert drive.state(Account, "b").cents == 7
    drive = drive.reopen()
    assert drive.state(Account, "b").cents == 7


def test_one_that_killed_the_process_once_is_tried_again() -> None:
    """It may have been chance: once it was activated the count is taken back."""
    drive = Drive(limits=Limits(log_bytes=1))
    drive.send(Account, "b", Account.deposit, "t", 5)
    for _ in range(4):
        drive.settle()
        drive.journal.note(path_of(("Account", "b")))
        drive.journal.close()
        drive = Drive(drive.journal)
        assert drive.state(Account, "b").cents == 5


def test_the_note_names_who_is_being_activated(monkeypatch: pytest.MonkeyPatch) -> None:
    """While an actor's records are replayed, its name stands where the next process will find it."""
    drive = Drive(limits=Limits(log_bytes=1))
    drive.send(Account, "b", Account.deposit, "t", 5)
    drive = drive.reopen()
    noted: list[bytes] = []
    activate = drive.population.shelf.activate

    def watching(*given: Any) -> Any:
        noted.append(drive.journal.noted())
        return activate(*given)

    monkeypatch.setattr(drive.population.shelf, "activate", watching)
    drive.resident(Account, "b")
    assert (noted, drive.journal.noted()) == ([path_of(("Account", "b"))], b"")


def test_an_error_of_the_author_while_reading_is_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upcast that raises, say: that actor is set aside, and the runtime lives on."""
    drive = Drive(limits=Limits(log_bytes=1))
    for key in ("a", "b"):
        drive.send(Account, key, Account.deposit, key, 5)
    drive = drive.crash()

    def failing(actor: Actor, *rest: Any) -> None:
        if actor.address[1] == "b":
            raise ZeroDivisionError("planted")
        replay.replay(actor, *rest)

    monkeypatch.setattr(shelf, "replay", failing)
    drive.settle()
    with pytest.raises(DecodeError, match=r"Account 'b'.*ZeroDivisionError"):
        drive.resident(Account, "b")
    drive.later(20)
    drive.settle()
    assert drive.state(Account, "a").cents == 5
    monkeypatch.undo()
    drive.population.residency.readmit(("Account", "b"), drive.now)
    drive.settle()
    assert drive.state(Account, "b").cents == 5
    check(drive)


def test_a_broken_actor_is_not_written_down_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What memory holds of one that could not be rebuilt is not what its records say: those are kept."""
    drive = Drive(limits=Limits(resident_actors=1))
    for n in range(5):
        drive.send(Account, "b", Account.deposit, f"t{n}", 5)
    actor = drive.actor(Account, "b")

    def failing(_: Actor) -> None:
        actor.state.cents = -1
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(replay, "_rebuild", failing)
    with pytest.raises(ZeroDivisionError):
        drive.send(Account, "b", Account.deposit, "no", -1)
    monkeypatch.undo()
    assert actor.broken is not None
    drive.later(20)
    for n in range(300):
        drive.send(Echo, f"e{n}", Echo.hear, "t")
    drive.settle()
    drive.close()
    drive = drive.crash(final=False)
    assert drive.state(Account, "b").cents == 25
    drive.settle()
    check(drive)


def test_a_broken_actor_is_made_anew_by_readmit(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the journal, once everything of it is there; whoever waited for room tries again."""
    drive = Drive(every=0)
    drive.send(Account, "b", Account.deposit, "t1", 5)
    resident = drive.resident(Account, "b")

    def failing(_: Actor) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(replay, "_rebuild", failing)
    with pytest.raises(ZeroDivisionError):
        drive.send(Account, "b", Account.deposit, "no", -1)
    monkeypatch.undo()
    assert drive.population.residency.unsettled(("Account", "b")) is drive.population.frame
    drive.now += 20 * 1_000_000
    frame = drive.cut()
    assert drive.population.residency.unsettled(("Account", "b")) is frame
    drive.write(frame)
    assert drive.population.residency.unsettled(("Account", "b")) is None
    drive.population.residency.readmit(("Account", "b"), drive.now)
    assert drive.resident(Account, "b") is not resident
    assert resident in drive.population.roomy
    assert drive.state(Account, "b").cents == 5
    drive.settle()
    check(drive)


def test_what_cannot_be_stored_leaves_memory_once_it_is_tabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state of which no snapshot can be taken is tried once, and not with frame after frame for ever."""

    def refusing(_: Actor) -> bytes:
        raise DecodeError("the state", "it is no data")

    monkeypatch.setattr(shelf, "snapshot", refusing)
    drive = Drive(limits=Limits(resident_actors=1))
    for key in ("a", "b", "c"):
        drive.send(Account, key, Account.deposit, key, 5)
    assert drive.settle(200) < 100
    assert len(drive.population.residents) == 1
    assert [drive.state(Account, key).cents for key in ("a", "b", "c")] == [5, 5, 5]


def test_ids_are_let_go_of_in_the_order_of_their_answers() -> None:
    """Also behind a restart the oldest go first, and room for new ones is found."""
    limits = Limits(id_bytes=2_000, log_bytes=1)
    drive = Drive(limits=limits)
    for n in range(400):
        ticket = drive.send(Account, "a", Account.deposit, f"t{n}", 1, id_=f"id-{n}")
        assert ticket.told, ticket.refused
        drive.later(7_200)
        if n % 20 == 7:
            drive.settle()
            drive = drive.reopen(limits=limits)
    assert drive.state(Account, "a").cents == 400
    assert drive.send(Account, "a", Account.deposit, "t399", 1, id_="id-399").fate == "answer"
