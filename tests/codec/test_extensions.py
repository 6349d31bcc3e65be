"""Plain values: one form each, and nothing that is not registered."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actorflow._codec import pack, unpack
from actorflow._codec.extensions import EXTENSION_CODES, extend, load_extension
from actorflow.errors import DecodeError, WrongArgument


def test_stored_values_describe_themselves() -> None:
    """A tool without our classes reads them: the codes and the bytes are fixed for good."""
    assert pack(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)).hex() == "d70100000000000f4240"
    assert pack(date(1970, 1, 1)).hex() == "d602000af93b"
    assert pack(time(0, 0, 1)).hex() == "c7050300000f4240"
    assert pack(timedelta(microseconds=-1)).hex() == "d404ff"
    assert pack(Decimal("1.50")).hex() == "d605312e3530"
    assert pack(UUID(int=1)).hex() == "d80600000000000000000000000000000001"


@given(st.sampled_from(sorted(EXTENSION_CODES)), st.binary(max_size=20))
@example(1, bytes(13))
@example(4, b"\x00\x01")
@example(5, b"1_0")
@example(5, b"sNaN")
@example(3, b"\xff" * 5)
@example(3, bytes(12))
def test_there_is_one_form_of_each(code: int, payload: bytes) -> None:
    """A payload is refused, or it is the one that its value is written as."""
    try:
        value = load_extension(code, payload)
    except ValueError:
        return
    assert extend(value) == msgpack.ExtType(code, payload)


def test_integer_keys_are_read() -> None:
    """They are ordinary in the records of the house."""
    assert unpack(pack({1: "a"})) == {1: "a"}


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value", [Text("a"), (1,), {1}, object(), 1j, True.__class__, {"a": Text("b")}, [datetime.now]]
)
def test_nothing_is_changed_silently(value: object) -> None:
    """What has no plain form of its own is refused: a subclass would come back as its base."""
    with pytest.raises(WrongArgument, match="has no plain form"):
        pack(value)


class Odd(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        return None

    def dst(self, dt: datetime | None, /) -> None: ...
    def tzname(self, dt: datetime | None, /) -> None: ...


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 << 64, "does not fit into 64 bits"),
        ("\ud800", "half of a surrogate pair"),
        (datetime(2026, 1, 1), "has no time zone"),  # noqa: DTZ001
        (datetime(2026, 1, 1, tzinfo=Odd()), "has no time zone"),
        (time(1, tzinfo=ZoneInfo("Europe/Vienna")), "without a fixed offset"),
        (time(1, fold=1), "fold=1"),
        (Decimal("sNaN"), "signalling NaN"),
        (_circle(), "contains itself"),
    ],
)
def test_what_cannot_be_kept_is_refused(value: object, text: str) -> None:
    """With the reason, and with the place it was given."""
    with pytest.raises(WrongArgument, match=rf"here: .*{text}"):
        pack(value, "here")


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x91", b"\x01\x01", b"\xa1\xff", b"\xd4\x09\x00", b"\xd4\x01\x00", b"\x81\x90\x01"],
)
def test_every_failure_of_reading_is_one_error(data: bytes) -> None:
    """Nobody has to know what msgpack raises."""
    with pytest.raises(DecodeError, match="here: the bytes cannot be read"):
        unpack(data, "here")


def test_threads_do_not_meet() -> None:
    """Callers encode at their own line, in threads of their own."""
    found: list[bytes] = []
    value = [Decimal(1), "x" * 1000] * 50
    threads = [
        threading.Thread(target=lambda: found.extend(pack(value) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {pack(value)}
