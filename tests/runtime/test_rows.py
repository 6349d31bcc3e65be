"""What is written in frames and rows comes back as it was; of another form it is refused, and says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actorflow import DecodeError
from actorflow._codec.records import RecordCodec, seal
from actorflow._core import facts
from actorflow._core.facts import Input
from actorflow._core.once import Known
from actorflow._runtime import rows
from actorflow._runtime.rows import (
    PIECE_BYTES,
    Head,
    Letter,
    Trace,
    carried,
    carried_from,
    pack_frame,
    pack_head,
    pack_known,
    pack_letter,
    pack_records,
    pack_trace,
    pieces,
    unpack_frame,
    unpack_head,
    unpack_known,
    unpack_letter,
    unpack_records,
    unpack_trace,
)

SENDER = ("Cart", "a", 7, 1)
HEAD = Head(5, 9, 8, "running", 1, 2, 100, 200, None, True, 3, 1, 0, 40, ((4, 3, 150, 20),))
LETTER = Letter(3, ("Cart", "b"), Input(facts.SIGNAL, "add", b"\x90", "id", None, SENDER))
TRACE = Trace(2, 1, "waits", 300, b"failure", b"details")
KNOWN = Known(4, "buy", b"digest", facts.OK, b"body", 77)
OUTSTANDING = Known(4, "buy", b"digest")


@pytest.mark.parametrize(
    ("pack", "unpack", "value"),
    [
        (lambda: pack_frame([b"p", b"r", b"q", b"s"]), unpack_frame, [(b"p", b"r"), (b"q", b"s")]),
        (lambda: pack_frame([]), unpack_frame, []),
        (lambda: pack_head(HEAD), unpack_head, HEAD),
        (lambda: pack_known("i", KNOWN), unpack_known, ("i", KNOWN)),
        (lambda: pack_known("i", OUTSTANDING), unpack_known, ("i", OUTSTANDING)),
        (lambda: pack_letter(LETTER), unpack_letter, LETTER),
        (lambda: pack_trace(TRACE), unpack_trace, TRACE),
        (lambda: pack_records([b"a", b"b"]), unpack_records, [b"a", b"b"]),
    ],
)
def test_what_is_written_comes_back(
    pack: Callable[[], bytes], unpack: Callable[..., Any], value: object
) -> None:
    """With its types; and where a bit of it was lost, that is an error which says where it was read."""
    packed = pack()
    again = unpack(packed, "here")
    assert again == value
    assert type(again) is type(value)
    if isinstance(again, Letter):
        assert isinstance(again.input, Input)
    for place in range(len(packed)):
        with pytest.raises(DecodeError, match="here: its checksum does not hold"):
            unpack(packed[:place] + bytes([packed[place] ^ 1]) + packed[place + 1 :], "here")


@pytest.mark.parametrize(
    ("unpack", "plain", "form"),
    [
        (unpack_frame, (b"p",), "a frame"),
        (unpack_frame, (b"p", "r"), "a frame"),
        (unpack_frame, (1, b"r"), "a frame"),
        (unpack_frame, 5, "a frame"),
        (unpack_frame, {b"p": b"r", b"q": b"s"}, "a frame"),
        (unpack_head, (1, *HEAD[1:]), "a head"),
        (unpack_head, (1, *HEAD, 1), "a head"),
        (unpack_head, "x" * (len(HEAD) + 1), "a row"),
        (unpack_known, (1, "i", 4, "buy", b"digest", None, b"", "at"), "a once-id"),
        (unpack_known, (1, "i", 4, "buy", b"digest", None, b""), "a once-id"),
        (unpack_letter, (1, 3, ("Cart", "b")), "a letter"),
        (unpack_trace, (1, 2, 1), "a trace"),
        (unpack_records, (b"a", "b"), "history"),
        (unpack_records, b"ab", "history"),
    ],
)
def test_a_row_of_another_form_is_refused(unpack: Callable[..., Any], plain: object, form: str) -> None:
    """Bytes whose checksum holds and that are no such row: the error names what they should have been."""
    with pytest.raises(DecodeError, match=f"here: it does not have the form of {form}"):
        unpack(seal(RecordCodec().pack(plain)), "here")


@pytest.mark.parametrize("position", [0, 1, 255, 256, (1 << 64) - 1])
@pytest.mark.parametrize("path", [b"", b"E\0k\0", b"\xff" * 20])
def test_what_is_carried_on_says_from_where(position: int, path: bytes) -> None:
    """The frame in which a record stood first, and whose it is; no path of an actor begins like it."""
    there = carried(path, position)
    assert carried_from(there) == (position, path)
    assert there[0] == 0


@pytest.mark.parametrize("size", [0, 1, 26, 27, 28, 54, 55, 1_000])
def test_a_long_row_is_cut_and_whole_again(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece is longer than its bound, none is empty, and behind each other they are what was cut."""
    monkeypatch.setattr(rows, "PIECE_BYTES", 31)
    data = bytes(range(256)) * 4
    cut = list(pieces(data[:size]))
    assert b"".join(cut) == seal(data[:size])
    assert {len(piece) for piece in cut[:-1]} <= {31}
    assert 0 < len(cut[-1]) <= 31
    assert PIECE_BYTES > 31
