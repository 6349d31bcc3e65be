"""What authors write into handlers: activities, waiting, timers, other actors, children, callbacks."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import assert_type
from uuid import UUID

from actorflow import (
    Activity,
    ChildFailed,
    RetryPolicy,
    activity,
    actor,
    callback,
    complete,
    continue_as_new,
    fan_out,
    gather,
    info,
    now,
    patched,
    race,
    random,
    saga,
    shielded,
    sleep,
    start_child,
    uuid4,
    wait_until,
)
from actorflow._authoring.actors import ActorRef
from actorflow._authoring.callbacks import Callback
from actorflow._authoring.children import ChildRef
from actorflow._authoring.timers import TimerRef
from actorflow._authoring.waiting import Winner
from tests.typing.cart import Cart, Shelf, charge, refund, release

SECOND = timedelta(seconds=1)


# ---- activities ----------------------------------------------------------------------------------------


@activity
def add(a: int, b: int = 1) -> int:
    return a + b


@activity(name="fetch", aliases=["get"], retry=RetryPolicy(maximum_attempts=3), on_cancel="abandon", rate=0.5)
async def fetch(url: str) -> bytes:
    return url.encode()


@activity(start_to_close=30)  # E: mypy[call-overload, untyped-decorator] pyright[reportArgumentType]
async def seconds() -> None: ...


@activity(timeout=SECOND)  # E: mypy[call-overload, untyped-decorator] pyright[reportCallIssue, reportUntypedFunctionDecorator]
async def unknown_option() -> None: ...


@activity(on_cancel="ignore")  # E: mypy[call-overload, untyped-decorator] pyright[reportArgumentType]
async def unknown_choice() -> None: ...


RetryPolicy(3)  # E: mypy[arg-type, call-arg] pyright[reportCallIssue]
RetryPolicy(maximum_attempts="3")  # E: mypy[arg-type] pyright[reportArgumentType]

coroutine: Activity[[str, int, str], str] = charge.options(start_to_close=SECOND)
wrong: Activity[[str], int] = add  # E: mypy[assignment] pyright[reportAssignmentType]


async def activities(cart: Cart) -> None:
    assert_type(await charge("p", 5, "card"), str)
    assert_type(await charge("p", cents=5, card="card"), str)
    assert_type(await add(1), int)
    assert_type(await add(1, b=2), int)
    assert_type(add(1), Awaitable[int])
    assert_type(await fetch("here"), bytes)
    assert_type(await fetch.options(heartbeat=None, retry=RetryPolicy())("here"), bytes)
    await charge("p", "5", "card")  # E: mypy[arg-type] pyright[reportArgumentType]
    await charge("p", 5)  # E: mypy[call-arg] pyright[reportCallIssue]
    await charge("p", 5, "card", "more")  # E: mypy[call-arg] pyright[reportCallIssue]
    await charge("p", 5, kard="card")  # E: mypy[call-arg] pyright[reportCallIssue]
    await fetch.options(timeout=SECOND)("here")  # E: mypy[call-arg] pyright[reportCallIssue]
    await fetch.options(start_to_close=30)("here")  # E: mypy[arg-type] pyright[reportArgumentType]
    await fetch.options(start_to_close=SECOND)(1)  # E: mypy[arg-type] pyright[reportArgumentType]
    add(1) + 1  # E: mypy[operator] pyright[reportOperatorIssue, reportUnusedExpression]


# ---- waiting -------------------------------------------------------------------------------------------


async def waiting(cart: Cart) -> None:
    assert_type(await sleep(SECOND), None)
    assert_type(await wait_until(lambda: cart.receipt is not None), None)
    assert_type(await wait_until(lambda: cart.total() > 5, timeout=SECOND), None)
    assert_type(await gather(add(1), fetch("x")), tuple[int, bytes])
    assert_type(await gather(add(1), fetch("x"), sleep(SECOND), at_most=2), tuple[int, bytes, None])
    assert_type(await gather(add(1), fetch("x"), add(2), charge("p", 1, "c")), tuple[int, bytes, int, str])
    assert_type(await gather(*[add(n) for n in range(5)], at_most=2), tuple[int, ...])
    assert_type(await gather(cart.checkout("a"), cart.gift("b")), tuple[str, bool])
    first = await race(add(1), fetch("x"))
    assert_type(first, Winner[int | bytes])
    assert_type(first.index, int)
    assert_type(first.value, int | bytes)
    assert_type((await race(add(1), add(2), sleep(SECOND))).value, int | None)
    assert_type((await race(*[add(n) for n in range(5)])).value, int)
    async with shielded():
        pass
    await sleep(1)  # E: mypy[arg-type] pyright[reportArgumentType]
    await wait_until(cart.receipt is None)  # E: mypy[arg-type] pyright[reportArgumentType]
    await wait_until(cart.total)  # E: mypy[arg-type] pyright[reportArgumentType]
    await wait_until(lambda: True, timeout=5)  # E: mypy[arg-type] pyright[reportArgumentType]
    await gather(add, add)  # E: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    await gather(add(1), add(2), at_most="2")  # E: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    await race(1, 2)  # E: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]


# ---- sagas and timers ----------------------------------------------------------------------------------


async def undoing(cart: Cart) -> None:
    async with saga() as undo:
        undo(release, "reservation")
        undo(refund, payment="p")
        undo(cart.gift, "a friend")
        undo(release)  # E: mypy[call-arg] pyright[reportCallIssue]
        undo(release, 1)  # E: mypy[arg-type] pyright[reportArgumentType]
        undo(refund, pay="p")  # E: mypy[call-arg] pyright[reportCallIssue]
        undo(cart.total)  # E: mypy[arg-type] pyright[reportArgumentType]


def timing(cart: Cart) -> None:
    assert_type(cart.abandon(), TimerRef)
    assert_type(cart.expire("r", hard=True), TimerRef)
    assert_type(cart.abandon().due, datetime | None)
    cart.abandon().arm(after=SECOND)
    cart.abandon().arm(at=now() + SECOND)
    cart.abandon().cancel()
    cart.abandon(1)  # E: mypy[call-arg] pyright[reportCallIssue]
    cart.expire("r")  # E: mypy[call-arg] pyright[reportCallIssue]
    cart.expire("r", hard="yes")  # E: mypy[arg-type] pyright[reportArgumentType]
    cart.expire(reservation="r", hard=True)  # E: mypy[call-arg] pyright[reportCallIssue]
    cart.abandon().arm(SECOND)  # E: mypy[call-arg] pyright[reportCallIssue]
    cart.abandon().arm(after=30)  # E: mypy[arg-type] pyright[reportArgumentType]
    cart.abandon.arm(after=SECOND)  # E: mypy[attr-defined] pyright[reportFunctionMemberAccess]


# ---- other actors, children, callbacks -----------------------------------------------------------------


async def others(cart: Cart) -> None:
    shelf = actor(Shelf, "top")
    assert_type(shelf, ActorRef[Shelf])
    assert_type(shelf.signal(Shelf.put, "apple"), None)
    assert_type(await shelf.update(Shelf.take, "apple"), int)
    assert_type(await shelf.once("a").within(SECOND).update(Shelf.take, sku="apple"), int)
    shelf.signal(Shelf.put)  # E: mypy[call-arg] pyright[reportCallIssue]
    shelf.signal(Shelf.put, 1)  # E: mypy[arg-type] pyright[reportArgumentType]
    shelf.signal(Cart.add_item, "apple", 1, 2)  # E: mypy[arg-type] pyright[reportArgumentType]
    shelf.signal(Shelf.take, "apple")  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
    await shelf.update(Shelf.put, "apple")  # E: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
    await shelf.update(Shelf.take, 1)  # E: mypy[arg-type] pyright[reportArgumentType]
    await shelf.signal(Shelf.put, "apple")  # E: mypy[func-returns-value, misc] pyright[reportGeneralTypeIssues]
    shelf.query(Shelf.full)  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]
    shelf.within(5)  # E: mypy[arg-type] pyright[reportArgumentType]
    actor("Shelf", "top")  # E: mypy[arg-type] pyright[reportArgumentType]
    actor(Shelf, 5)  # E: mypy[arg-type] pyright[reportArgumentType]


async def children() -> None:
    child = start_child(Shelf("top"), "top")
    assert_type(child, ChildRef[Shelf])
    assert_type(await child.result(int), int)
    assert_type(await child.result(list[str]), list[str])
    start_child(Shelf("top"), "top", policy="abandon")
    shelves = {"a": Shelf("a"), "b": Shelf("b")}
    assert_type(await fan_out(shelves, result=int, at_most=2), dict[str, int])
    assert_type(await fan_out(shelves, result=int, partial=True), dict[str, int | ChildFailed])
    start_child(Shelf("top"))  # E: mypy[call-arg] pyright[reportCallIssue]
    start_child(Shelf("top"), "top", policy="forget")  # E: mypy[arg-type] pyright[reportArgumentType]
    await fan_out(shelves, int)  # E: mypy[call-overload] pyright[reportCallIssue]
    await fan_out([Shelf("a")], result=int)  # E: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
    await fan_out(shelves, result=int, at_most="2")  # E: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]


async def callbacks() -> None:
    answer = callback(bool, timeout=SECOND)
    assert_type(answer, Callback[bool])
    assert_type(answer.token, str)
    assert_type(await answer, bool)
    assert_type(await callback(dict[str, int], timeout=None), dict[str, int])
    callback(bool)  # E: mypy[call-arg] pyright[reportCallIssue]
    callback(bool, SECOND)  # E: mypy[call-arg] pyright[reportCallIssue]
    callback(bool, timeout=5)  # E: mypy[arg-type] pyright[reportArgumentType]
    callback(True, timeout=None)  # E: mypy[arg-type] pyright[reportArgumentType]


async def the_rest() -> None:
    assert_type(now(), datetime)
    assert_type(uuid4(), UUID)
    assert_type(random().random(), float)
    assert_type(info().key, str)
    assert_type(patched("one"), bool)
    complete({"any": "thing"})
    patched(1)  # E: mypy[arg-type] pyright[reportArgumentType]
    random.random()  # E: mypy[attr-defined] pyright[reportFunctionMemberAccess]
    await continue_as_new()
