"""Bytes from outside can be wrong in every way, and are refused in one."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow._codec import decode_untrusted, pack
from actorflow.errors import DecodeError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
    | st.binary(max_size=300)
    | st.datetimes(timezones=st.just(UTC))
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.timedeltas()
)
keys = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.integers(-40000, 1 << 40)
    | st.binary(max_size=5)
)
plains = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(keys, inner, max_size=20),
    max_leaves=40,
)


@given(plains)
def test_what_is_well_formed_is_read(plain: Any) -> None:
    """As trusted bytes would be."""
    assert decode_untrusted(pack(plain), where="here") == plain


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    """A plain value or a DecodeError."""
    with suppress(DecodeError):
        decode_untrusted(data, where="here")


@given(plains, st.data())
def test_damaged_bytes_raise_nothing_else(plain: Any, draw: st.DataObject) -> None:
    """The same, close to what is right."""
    good = pack(plain)
    at = draw.draw(st.integers(0, len(good) - 1))
    put = draw.draw(st.binary(max_size=3))
    for bad in (good[:at] + put + good[at + 1 :], good[:at]):
        with suppress(DecodeError):
            decode_untrusted(bad, where="here")


@pytest.mark.parametrize("head", range(256))
def test_every_first_byte_is_understood(head: int) -> None:
    """Alone, short and long, ours is the judgement of msgpack, except for what is refused on purpose."""
    for tail in (
        b"",
        b"\x01",
        b"\x00" * 4,
        b"\x01" * 40,
        b"\xff" * 40,
        b"\x00\x00\x00\x02\xa1a\x01\xa1b\x02",
    ):
        for end in range(len(tail) + 1):
            data = bytes([head]) + tail[:end]
            try:
                ours = decode_untrusted(data, where="here")
            except DecodeError:
                continue
            assert pack(ours) == pack(msgpack.unpackb(data, strict_map_key=False, ext_hook=_ours))


def _ours(code: int, payload: bytes) -> Any:
    return decode_untrusted(msgpack.packb(msgpack.ExtType(code, payload)), where="here")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "the bytes end too early"),
        (b"\x91", "byte 0: announces more than there is"),
        (b"\x92\x01", "byte 0: announces more than there is"),
        (b"\xda\x00", "byte 0: announces more than there is"),
        (b"\xdd\xff\xff\xff\xff", "byte 0: announces more than there is"),
        (b"\xdf\xff\xff\xff\xff\x01\x01", "byte 0: announces more than there is"),
        (b"\xc7\x01", "byte 0: announces more than there is"),
        (b"\xc1", "byte 0: 0xc1 begins nothing"),
        (b"\x01\x02", "1 bytes follow the value"),
        (b"\xd4\x07\x00", "byte 0: extension 7 is unknown"),
        (b"\xd6\xff\x00\x00\x00\x00", "byte 0: extension 255 is unknown"),
        (b"\xd4\x01\x00", "the bytes cannot be read (extension 1 is malformed)"),
        (b"\x82\x01\xc0\x01\xc0", "the bytes cannot be read (a map has the same key twice)"),
        (b"\x82\xa1a\xc0\xd9\x01a\xc0", "the bytes cannot be read (a map has the same key twice)"),
        (b"\x81\xc3\xc0", "byte 1: the key of a map is neither text, bytes nor an integer"),
        (b"\x81\x90\xc0", "byte 1: the key of a map is neither text, bytes nor an integer"),
        (b"\x91" * 33 + b"\xc0", "nested deeper than the 32 levels allowed"),
        (b"\x91" * 1_000_000 + b"\xc0", "nested deeper than the 32 levels allowed"),
        (b"\xdd\x00\x01\x86\xa0" + b"\xc0" * 100_000, "more than the 100000 items allowed"),
        (b"\xc0" * ((1 << 20) + 1), "1048577 bytes are more than the 1048576 allowed"),
    ],
)
def test_what_is_refused_and_how(data: bytes, text: str) -> None:
    """Every bound has its text."""
    with pytest.raises(DecodeError) as caught:
        decode_untrusted(data, where="a message from outside")
    assert str(caught.value) == f"a message from outside: {text}"


def test_what_is_just_within_the_bounds_is_read() -> None:
    """A bound is the last that is allowed."""
    assert decode_untrusted(b"\x91" * 32 + b"\xc0", where="here") is not None
    assert decode_untrusted(b"\x91\x01", where="here", bytes_max=2, depth_max=1, count_max=2) == [1]
    assert decode_untrusted(b"\x01", where="here", bytes_max=1, depth_max=0, count_max=1) == 1


def test_a_small_message_stays_small() -> None:
    """A megabyte of empty maps is refused before it becomes seventy."""
    data = b"\xdd\x00\x0f\xff\xfa" + b"\x80" * 1_048_570
    tracemalloc.start()
    with pytest.raises(DecodeError):
        decode_untrusted(data, where="here")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_values_of_the_registry_pass() -> None:
    """The six extensions are as good from outside as from inside."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert decode_untrusted(pack({"at": [now]}), where="here") == {"at": [now]}
