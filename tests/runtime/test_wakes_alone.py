"""Whom to look at and when, without actors: what is read of the table, and how seldom; what is left to it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from actorflow._core.facts import Instant
from actorflow._runtime import wakes
from actorflow._runtime.tables import wake_key
from actorflow._runtime.wakes import FOR_EVER, NEAR_US, Wakes

NOW = 10 * NEAR_US
HALF = NEAR_US // 2


class Table:
    """A table that remembers what was read of it."""

    def __init__(self, dues: Iterable[Instant] = ()) -> None:
        self.keys = sorted(wake_key(due, f"p{n}".encode()) for n, due in enumerate(dues))
        self.read: list[tuple[Instant, Instant]] = []
        """From when, to when."""

    def scan(self, start: bytes, stop: bytes, at_most: int) -> list[tuple[bytes, bytes]]:
        self.read.append((int.from_bytes(start[:8], "big"), int.from_bytes(stop, "big")))
        return [(key, b"") for key in self.keys if start <= key < stop][:at_most]


def taken(clock: Wakes, now: Instant) -> list[bytes]:
    """Everybody to be looked at by then."""
    return list(iter(lambda: clock.take(now), None))


def test_before_the_table_is_read_everything_is_in_memory() -> None:
    """However far off it is; what is due goes before reading."""
    table = Table()
    clock = Wakes(table.scan)
    assert (clock.far, clock.first, len(clock)) == (FOR_EVER, FOR_EVER, 0)
    assert clock.add(NOW, b"now")
    assert clock.add(100 * NEAR_US, b"far")
    assert (clock.first, len(clock), table.read) == (NOW, 2, [])
    assert clock.take(NOW) == b"now"
    assert (clock.first, clock.far, table.read) == (100 * NEAR_US, FOR_EVER, [])


def test_nobody_is_looked_at_before_he_is_due() -> None:
    """But at that very moment, and once."""
    clock = Wakes(Table().scan)
    clock.add(NOW, b"now")
    assert clock.take(NOW - 1) is None
    assert [clock.take(NOW), clock.take(NOW)] == [b"now", None]


def test_the_table_is_read_an_hour_ahead_and_each_half_hour() -> None:
    """Each time from where it was left: no row is read twice, and in between none is read at all."""
    table = Table([NOW + 1, NOW + NEAR_US - 1, NOW + NEAR_US, NOW + NEAR_US + HALF - 1, NOW + NEAR_US + HALF])
    clock = Wakes(table.scan)
    assert clock.next(NOW) == NOW + 1
    assert (len(clock), table.read) == (2, [(0, NOW + NEAR_US)])
    assert taken(clock, NOW + HALF - 1) == [b"p0"]
    assert clock.next(NOW + HALF - 1) == NOW + NEAR_US - 1
    assert len(table.read) == 1
    clock.next(NOW + HALF)
    assert (len(clock), table.read[1:]) == (3, [(NOW + NEAR_US, NOW + HALF + NEAR_US)])
    clock.next(NOW + NEAR_US - 1)
    assert len(table.read) == 2


def test_who_asks_is_told_to_come_again_when_the_table_is_to_be_read() -> None:
    """At the end of what is known, though nobody is due before."""
    table = Table([NOW + 5 * NEAR_US])
    clock = Wakes(table.scan)
    assert clock.next(NOW) == NOW + NEAR_US
    assert clock.next(NOW + 1) == NOW + NEAR_US
    later = clock.next(NOW + NEAR_US)
    assert later == NOW + 2 * NEAR_US
    while later < NOW + 5 * NEAR_US:
        later = clock.next(later)
    assert taken(clock, later) == [b"p0"]


@pytest.mark.parametrize("rows", [0, 1_000])
def test_what_is_near_is_in_memory_and_what_is_far_is_left_to_the_table(rows: int) -> None:
    """Up to the end of what is known and with it: a table that was read has no row for what comes later."""
    clock = Wakes(Table([NOW + 1] * rows).scan)
    clock.next(NOW)
    assert clock.far == NOW + NEAR_US + 1 if rows == 0 else clock.far > NOW + HALF
    assert clock.add(clock.far - 1, b"near") is True
    assert clock.add(clock.far, b"far") is False
    assert len(clock) == rows + 1


def test_a_page_is_read_when_what_is_due_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A night's work is not brought into memory at once; and while some of it is due, no more of it is."""
    monkeypatch.setattr(wakes, "PAGE_ROWS", 2)
    table = Table([NOW - 9, NOW - 9, NOW - 9, NOW - 1, NOW, NOW + 1])
    clock = Wakes(table.scan)
    most = 0
    found = []
    while (path := clock.take(NOW)) is not None:
        most = max(most, len(clock))
        found.append(path)
    assert (found, most) == ([b"p0", b"p1", b"p2", b"p3", b"p4"], 1)
    assert taken(clock, NOW + 1) == [b"p5"]


def test_far_ahead_a_page_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that reaches beyond the half hour is the last that is read; up to there all is in memory."""
    monkeypatch.setattr(wakes, "PAGE_ROWS", 2)
    table = Table([NOW + 7, NOW + HALF + 1, NOW + HALF + 2])
    clock = Wakes(table.scan)
    assert clock.next(NOW) == NOW + 7
    assert (len(table.read), len(clock), clock.far) == (1, 2, NOW + HALF + 2)
    table = Table([NOW + 7, NOW + HALF, NOW + HALF + 2])
    clock = Wakes(table.scan)
    clock.next(NOW)
    assert (len(table.read), len(clock)) == (2, 3), "up to the half hour and with it"


def test_after_a_jump_what_is_soon_is_in_memory_though_much_is_still_to_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of what is known lies in the past then; a row for what is armed now would come too late."""
    monkeypatch.setattr(wakes, "PAGE_ROWS", 2)
    clock = Wakes(Table([NOW, NOW, NOW + 1, NOW + 2]).scan)
    assert clock.take(NOW + 5 * NEAR_US) == b"p0"
    assert clock.far == NOW + 5 * NEAR_US + HALF + 1
    assert clock.add(NOW + 5 * NEAR_US + HALF, b"soon")
