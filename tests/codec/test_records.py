"""Records and failures as bytes: what is read is what was written, and damage is one kind of error."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow import ActorCompleted, Cancelled, Deadlock, DecodeError, HandlerFailed, Limits, Refused
from actorflow._codec.failures import error_of, failure, pack_failure
from actorflow._codec.records import RecordCodec, seal, unseal
from actorflow._core.facts import (
    ADMITTED,
    DEBTS,
    DONE,
    EFFECTS,
    KINDS,
    OUTCOMES,
    Ended,
    Input,
    Record,
    Schedule,
)

CODEC = RecordCodec()
refs = st.none() | st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 20))
inputs = st.builds(
    Input,
    st.sampled_from(sorted(KINDS)),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.none() | st.text(max_size=5),
    refs,
    st.none() | st.tuples(st.text(max_size=3), st.text(max_size=3), st.integers(0, 9), st.integers(0, 9)),
    st.none() | st.tuples(st.text(max_size=3)),
)
effects = st.lists(
    st.builds(Ended, st.just(11), st.integers(0, 9), st.text(max_size=3), st.binary(max_size=3), st.none())
    | st.builds(Schedule, st.just(1), st.text(max_size=3), st.binary(max_size=3), st.none()),
    max_size=3,
)
records = st.builds(
    Record,
    st.integers(0, 1 << 60),
    st.integers(0, 1 << 60),
    st.sampled_from(sorted(set(OUTCOMES) - {ADMITTED})),
    st.none() | inputs,
    effects,
    st.none() | st.dictionaries(st.text(max_size=3), st.binary(max_size=3), max_size=2),
)


@given(records)
def test_a_record_comes_back(record: Record) -> None:
    """Every part of a record, of its input and of its effects has its type again."""
    again = CODEC.unpack_record(CODEC.pack_record(record))
    assert again == record
    assert [type(effect) for effect in again.effects] == [type(effect) for effect in record.effects]
    assert again.input is None or isinstance(again.input, Input)


@given(records, st.data())
def test_a_damaged_record_is_one_error(record: Record, data: st.DataObject) -> None:
    """Whatever byte is changed or cut, reading gives a record or a ``DecodeError``, and nothing else."""
    packed = bytearray(CODEC.pack_record(record))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packed)))
    for damaged in (bytes(packed), bytes(packed[:cut])):
        try:
            assert isinstance(CODEC.unpack_record(damaged), Record)
        except DecodeError:
            continue


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ((1, 2, DONE, None, []), "does not have the expected form"),
        ((-1, 2, DONE, None, [], None), "-1 is not a number from 0 up"),
        ((1, 2, 77, None, [], None), "its outcome is 77"),
        ((1, 2, ADMITTED, None, [], None), "its outcome is 0"),
        ((1, 2, DONE, (99, "", b"", None, None, None, None), [], None), "is not an input"),
        ((1, 2, DONE, None, [(99, 1)], None), "99"),
        ((1, 2, DONE, None, [(1, "a")], None), "missing"),
        ((1, 2, DONE, None, [], 5), "5 is not a map"),
    ],
)
def test_a_record_of_another_form_is_refused(plain: tuple[object, ...], text: str) -> None:
    """Well-formed bytes that are no record are refused, with what is wrong."""
    with pytest.raises(DecodeError, match=text):
        CODEC.unpack_record(CODEC.pack(plain))


def test_what_is_owed_comes_back_by_its_number() -> None:
    """Maps may have numbers for keys, and lists come back as tuples: what is read is what was compared."""
    record = Record(1, 2, DONE, None, [], {DEBTS: {7: ("buy", b"failure")}})
    assert CODEC.unpack_record(CODEC.pack_record(record)) == record
    assert CODEC.unpack(CODEC.pack([1, [2]])) == (1, (2,))


def test_a_digest_is_the_same_for_ever() -> None:
    """Journals hold digests that earlier releases made."""
    assert CODEC.digest(b"").hex() == "cae66941d9efbd404e4d88758ea67670"
    assert CODEC.digest(b"content") != CODEC.digest(b"contend")
    assert len(CODEC.digest(b"content")) == 16


def test_a_seal_holds_or_not() -> None:
    """A checksum in front tells damage from content."""
    sealed = seal(b"content")
    assert unseal(sealed, "a snapshot") == b"content"
    with pytest.raises(DecodeError, match="a snapshot: its checksum does not hold"):
        unseal(sealed[:-1] + b"x", "a snapshot")


def test_every_effect_has_its_number() -> None:
    """The number that leads an effect in the journal is the one by which it is read."""
    assert list(EFFECTS) == list(range(1, len(EFFECTS) + 1))


# ---- failures ------------------------------------------------------------------------------------------


class Odd(Exception):
    """Everything about it raises."""

    def __str__(self) -> str:
        raise RuntimeError

    @property
    def details(self) -> object:
        """Raises."""
        raise RuntimeError


def _roundtrip(error: BaseException) -> Exception:
    return error_of(pack_failure(error), "Cart.buy")


def test_a_refusal_comes_back_as_itself() -> None:
    """The reason and its plain details reach the caller."""
    again = _roundtrip(Refused("no", {"left": [1, 2]}))
    assert isinstance(again, Refused)
    assert (again.reason, again.details) == ("no", {"left": [1, 2]})


def test_an_error_of_ours_comes_back_with_its_fields() -> None:
    """A caller can catch it by its class and ask for its fields."""
    again = _roundtrip(ActorCompleted("Cart 'a'", "completed"))
    assert isinstance(again, ActorCompleted)
    assert attrs.astuple(again) == ("Cart 'a'", "completed")
    circle = _roundtrip(Deadlock(("a", "b", "a")))
    assert isinstance(circle, Deadlock)
    assert circle.path == ("a", "b", "a")


def test_any_other_error_is_named() -> None:
    """No class is looked up by a name from the data."""
    again = _roundtrip(ValueError("too dear"))
    assert str(again) == "Cart.buy failed with ValueError: too dear"
    assert isinstance(again, HandlerFailed)
    cancelled = _roundtrip(Cancelled())
    assert isinstance(cancelled, HandlerFailed)
    assert cancelled.type == "Cancelled"


@pytest.mark.parametrize(
    ("error", "message", "details"),
    [
        (Odd(), "<no text: RuntimeError>", None),
        (ValueError("\ud800"), "?", None),
        (Refused(ValueError("x")), "x", None),  # type: ignore[arg-type]  # as an author may write it
        (Refused("r", object), "r", "<class 'object'>"),
        (Refused("r", ("a", 1)), "r", ["a", 1]),
        (ValueError("x" * 9000), "x" * 4000, None),
    ],
    ids=["raising", "surrogate", "reason", "details", "tuple", "long"],
)
def test_every_error_can_be_recorded(error: BaseException, message: str, details: object) -> None:
    """Whatever an author raises, its failure is recorded."""
    kept = failure(pack_failure(error))
    assert (kept.message, kept.details) == (message, details)


def test_large_details_are_kept_as_text() -> None:
    """Details beyond their bound become a text that is cut."""
    kept = failure(pack_failure(Refused("r", ["x" * 20_000])))
    assert isinstance(kept.details, str)
    assert len(kept.details) == 4000


def test_a_failure_of_another_form_is_refused() -> None:
    """Bytes that are no failure are a ``DecodeError``; none at all are an error without a word."""
    with pytest.raises(DecodeError):
        failure(CODEC.pack(5))
    assert failure(b"").type == "Exception"


def test_limits_are_above_nothing() -> None:
    """A bound of zero would refuse everything."""
    with pytest.raises(ValueError, match="mailbox_messages"):
        Limits(mailbox_messages=0)
