"""The traces of ``docs/explanation/traces.md``, 1 to 7: what becomes of messages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorflow import ActorCompleted, HandlerFailed, IdReused, Refused
from actorflow._core import facts
from actorflow.testing import Scenario
from tests.core.proof import prove
from tests.core.shop import Cart, Item, charge, refund, release, reserve

DAY = timedelta(days=1)


def test_trace_1_a_crash_behind_an_open_update_loses_and_repeats_nothing() -> None:
    """Messages that wait behind an open update survive a crash, and a second answer changes nothing."""
    cart = Scenario(Cart)
    cart.signal(Cart.add, "apple", 150)
    checkout = cart.update(Cart.checkout)
    for sku in ("pear", "plum", "fig"):
        cart.signal(Cart.add, sku, 10)
    count = cart.update(Cart.count, 1)
    assert cart.mailbox == ["add", "add", "add", "count"]
    assert not count.done

    cart.cancel()
    # The cancel overtakes the mailbox; the running attempt of reserve is waited for.
    (attempt,) = [one for one in cart.waiting if one.kind == "activity"]
    assert (attempt.name, attempt.withdrawn) == ("reserve", True)

    cart.restart()
    assert cart.mailbox == ["add", "add", "add", "count"]
    cart.answer(attempt)
    late = cart.resolve_ref(attempt.ref, facts.OK, b"\xc0")
    assert (late.record, late.fate) == (None, "ignore")

    # reserve had succeeded, so the next await raised Cancelled, and the saga undoes, shielded.
    assert [one.name for one in cart.waiting if one.kind == "activity"] == ["refund"]
    cart.answer(refund)
    assert [one.name for one in cart.waiting if one.kind == "activity"] == ["release"]
    cart.answer(release)
    with pytest.raises(HandlerFailed, match="Cancelled"):
        _ = checkout.value
    with pytest.raises(ActorCompleted):
        _ = count.value
    assert cart.status == "cancelled"
    assert [(one.seq, one.handler) for one in cart.parked] == [(3, "add"), (4, "add"), (5, "add")]
    assert cart.state.items == {"apple": Item(1, 150)}
    assert prove(cart) > 2


def test_trace_2_a_signal_that_fails_leaves_no_trace_but_itself() -> None:
    """A send, a timer, fields, ``complete`` before a failure: nothing happened, the signal is parked."""
    cart = Scenario(Cart)
    cart.signal(Cart.add, "apple", 150)
    before, due = cart.state, [one.due for one in cart.waiting]

    cart.signal(Cart.spill, "apple")

    assert cart.state == before
    assert [one.due for one in cart.waiting] == due
    assert (cart.sent, cart.status) == ([], "running")
    (parked,) = cart.parked
    assert (parked.handler, parked.arguments, parked.error) == (
        "spill",
        ("apple",),
        "ValueError: the shelf is bare",
    )
    cart.signal(Cart.add, "pear", 10)
    assert list(cart.state.items) == ["apple", "pear"]
    assert prove(cart) == 4


def test_trace_2_not_even_a_birth() -> None:
    """A first signal that fails gives birth to nobody; only the parked message is kept."""
    cart = Scenario(Cart)
    cart.signal(Cart.spill, "apple")
    assert cart.status == "vacant"
    assert [one.seq for one in cart.parked] == [1]
    cart.signal(Cart.add, "apple", 1)
    assert (cart.status, cart.history[-1].seq) == ("running", 2)
    prove(cart)


def test_trace_3_the_turn_that_ends_one_handler_stands_when_the_next_one_falls() -> None:
    """A resolution ends a checkout and lets a failing signal start: the first stands, the other is parked."""
    cart = Scenario(Cart)
    cart.signal(Cart.add, "apple", 150)
    checkout = cart.update(Cart.checkout)
    cart.signal(Cart.spill, "apple")
    cart.signal(Cart.note, "after")
    cart.answer(reserve)
    cart.answer(charge, "receipt")

    assert checkout.value == "receipt"
    assert cart.state.receipt == "receipt"
    assert cart.state.items == {"apple": Item(1, 150)}
    assert cart.state.notes == ["after"]
    assert [one.handler for one in cart.parked] == ["spill"]
    prove(cart)


def test_trace_5_an_id_means_one_message_through_everything() -> None:
    """``once``: refused and free, waiting and joined, answered across continuations, reused, expired."""
    cart = Scenario(Cart)
    refused = cart.once("c-1").update(Cart.checkout)
    with pytest.raises(Refused):
        _ = refused.value
    cart.signal(Cart.add, "apple", 150)

    first = cart.once("c-1").update(Cart.checkout)
    again = cart.once("c-1").update(Cart.checkout)
    with pytest.raises(IdReused, match="for checkout, now it came with count"):
        cart.once("c-1").update(Cart.count, 1)
    assert len([one for one in cart.waiting if one.name == "reserve"]) == 1
    waiting = cart.once("n-1").update(Cart.count, 1)
    also = cart.once("n-1").update(Cart.count, 1)
    with pytest.raises(IdReused, match="for count, now it came with other arguments for count"):
        cart.once("n-1").update(Cart.count, 2)
    cart.restart()
    cart.answer(reserve)
    cart.answer(charge, "receipt")
    assert (first.value, again.value, waiting.value, also.value) == ("receipt", "receipt", 1, 1)

    cart.once("s-1").signal(Cart.spill, "apple")
    records = len(cart.records)
    cart.once("s-1").signal(Cart.spill, "apple")
    assert len(cart.records) == records, "a parked signal was accepted: its id stays with it"

    for _ in range(3):
        cart.snapshot()
        cart.restart()
        assert cart.once("c-1").update(Cart.checkout).value == "receipt"
    cart.advance(DAY)
    # The window is over: the id is new again.
    later = cart.once("c-1").update(Cart.checkout)
    assert not later.done


def test_trace_5_an_answer_outlives_the_life_that_gave_it() -> None:
    """The id of the update that completed a cart still gives its answer, when the cart is no more."""
    cart = Scenario(Cart)
    cart.once("a-1").signal(Cart.add, "apple", 150)
    cart.once("c-1").update(Cart.checkout)
    cart.answer(reserve)
    cart.answer(charge, "receipt")
    cart.once("t-1").signal(Cart.note, "last")
    cart.advance(30 * DAY)
    assert cart.status == "completed"
    cart2 = Scenario(Cart)
    cart2.signal(Cart.add, "apple", 1)
    done = cart2.once("x").update(Cart.count, 1)
    cart2.terminate()
    assert done.value == cart2.once("x").update(Cart.count, 1).value == 1
    with pytest.raises(ActorCompleted):
        cart2.once("y").update(Cart.count, 1)


def test_trace_6_a_refusal_after_waiting_is_recorded_and_nothing_else() -> None:
    """An update that waited and is refused leaves its refusal and no other trace; its id is free again."""
    cart = Scenario(Cart)
    cart.signal(Cart.add, "apple", 150)
    cart.update(Cart.checkout)
    plain = cart.update(Cart.count, 5)
    named = cart.once("n-1").update(Cart.count, 5)
    joined = cart.once("n-1").update(Cart.count, 5)
    cart.answer(reserve)
    cart.answer(charge, "receipt")

    for reply in (plain, named, joined):
        with pytest.raises(Refused) as refused:
            _ = reply.value
        assert refused.value.details == 1
    assert cart.state.notes == []
    assert [one.outcome for one in cart.history[-2:]] == ["refused", "refused"]
    records = len(cart.records)
    with pytest.raises(Refused):
        _ = cart.once("n-1").update(Cart.count, 5).value
    assert len(cart.records) == records, "refused before it was admitted: no trace at all"
    assert cart.once("n-1").update(Cart.count, 1).value == 1
    prove(cart)


def test_trace_7_a_fire_that_was_overtaken_does_not_run() -> None:
    """A timer falls due behind an open handler, is re-armed by a message admitted before it, and is stale."""
    cart = Scenario(Cart)
    cart.signal(Cart.add, "apple", 150)
    cart.advance(29 * DAY)
    cart.update(Cart.checkout)
    cart.signal(Cart.add, "pear", 10)
    cart.advance(2 * DAY)
    assert cart.mailbox == ["add", "abandon"]
    cart.answer(reserve)
    cart.answer(charge, "receipt")

    assert (cart.status, cart.mailbox) == ("running", [])
    assert [one.outcome for one in cart.history[-2:]] == ["done", "stale"]
    assert [one.kind for one in cart.waiting] == ["timer"]
    cart.advance(29 * DAY)
    assert cart.status == "running"
    cart.advance(2 * DAY)
    assert (cart.status, cart.result(str)) == ("completed", "abandoned")
    prove(cart)


def test_a_failure_after_a_suspension_is_an_outcome() -> None:
    """After a suspension mutations stay, sagas compensate in reverse, and the caller hears of the failure."""
    cart = Scenario(Cart)
    cart.signal(Cart.add, "apple", 150)
    checkout = cart.update(Cart.checkout)
    cart.answer(reserve)
    cart.fail(charge, RuntimeError("declined"))
    assert [one.name for one in cart.waiting if one.kind == "activity"] == ["refund"]
    cart.answer(refund)
    cart.answer(release)
    with pytest.raises(HandlerFailed, match="declined"):
        _ = checkout.value
    assert cart.parked == []
    prove(cart)
