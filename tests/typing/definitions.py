"""What authors write into an entity: the constructor, the references on the class, what decorators refuse."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, assert_type

from actorflow import entity, main, query, signal, timer, update, upcast
from actorflow._authoring.handlers import Main, Query, Signal, Timer, Update
from tests.typing.cart import Cart, Item, Shelf

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")


# ---- references: the parameters of a handler, read back ------------------------------------------------


def of_signal(handler: Signal[E, P]) -> Callable[P, E]: ...  # type: ignore[empty-body]
def of_update(handler: Update[E, P, R]) -> Callable[P, tuple[E, R]]: ...  # type: ignore[empty-body]
def of_query(handler: Query[E, P, R]) -> Callable[P, tuple[E, R]]: ...  # type: ignore[empty-body]
def of_timer(handler: Timer[E, P]) -> Callable[P, E]: ...  # type: ignore[empty-body]


add_item: Signal[Cart, [str, int, int]] = Cart.add_item
checkout: Update[Cart, [str], str] = Cart.checkout
total: Query[Cart, [], int] = Cart.total
abandon: Timer[Cart, []] = Cart.abandon

wrong_arguments: Signal[Cart, [str, int]] = Cart.add_item  # E: mypy[assignment] pyright[reportAssignmentType]
wrong_entity: Signal[Shelf, [str, int, int]] = Cart.add_item  # E: mypy[assignment] pyright[reportAssignmentType]
wrong_answer: Update[Cart, [str], int] = Cart.checkout  # E: mypy[assignment] pyright[reportAssignmentType]
a_coroutine: Update[Cart, [str], Coroutine[Any, Any, str]] = Cart.checkout  # E: mypy[assignment] pyright[reportAssignmentType]
wrong_kind: Signal[Cart, []] = Cart.total  # E: mypy[assignment] pyright[reportAssignmentType]

assert_type(of_signal(Cart.add_item)("apple", 2, cents=150), Cart)
assert_type(of_signal(Cart.remark)("hello", loud=True), Cart)
assert_type(of_update(Cart.checkout)(card="card"), tuple[Cart, str])
assert_type(of_update(Cart.discount)(10), tuple[Cart, int])
assert_type(of_query(Cart.count)(), tuple[Cart, int | None])
assert_type(of_timer(Cart.expire)("r", hard=True), Cart)

Cart.add_item("apple", 2, 150)  # E: mypy[operator] pyright[reportCallIssue]

# ---- the constructor -----------------------------------------------------------------------------------

assert_type(Cart(), Cart)
Cart({"apple": Item(1, 2)}, receipt=None)
assert_type(Cart().receipt, str | None)
Shelf("top")
Shelf(label="top", rows=["a"])

Cart(items=3)  # E: mypy[arg-type] pyright[reportArgumentType]
Cart(wrong=3)  # E: mypy[call-arg] pyright[reportCallIssue]
Shelf()  # E: mypy[call-arg] pyright[reportCallIssue]
Shelf("top", ["a"], 3)  # E: mypy[call-arg] pyright[reportCallIssue]
Shelf(label=1)  # E: mypy[arg-type] pyright[reportArgumentType]
Cart().add_item("apple", "2", 150)  # E: mypy[arg-type] pyright[reportArgumentType]
Cart().total(1)  # E: mypy[call-arg] pyright[reportCallIssue]
Cart().wrong()  # E: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]


# ---- what decorators refuse ----------------------------------------------------------------------------


class Answering:
    @signal  # E: mypy[type-var] pyright[reportArgumentType]
    def put(self) -> int:
        return 1

    @signal  # E: mypy[type-var] pyright[reportArgumentType]
    async def put_later(self) -> int:
        return 1

    @timer  # E: mypy[arg-type] pyright[reportArgumentType]
    def later(self) -> int:
        return 1

    @main  # E: mypy[arg-type] pyright[reportArgumentType]
    def course(self) -> None: ...

    @main  # E: mypy[arg-type] pyright[reportArgumentType]
    async def courses(self, sku: str) -> None: ...

    @update
    def change(self, sku: str, by: int) -> int:
        return by

    @change.validator  # E: mypy[arg-type] pyright[reportArgumentType]
    def _other(self, sku: str) -> None: ...

    @change.validator  # E: mypy[arg-type] pyright[reportArgumentType]
    def _another(self, sku: int, by: int) -> None: ...

    @change.validator  # E: mypy[arg-type] pyright[reportArgumentType]
    def _answering(self, sku: str, by: int) -> bool:
        return True

    @change.validator  # E: mypy[arg-type] pyright[reportArgumentType]
    async def _waiting(self, sku: str, by: int) -> None: ...


class Misspelt:
    @signal(interleaves=True)  # E: mypy[call-overload, untyped-decorator] pyright[reportCallIssue, reportUntypedFunctionDecorator]
    def a(self) -> None: ...

    @signal(on_failure="ignore")  # E: mypy[call-overload, untyped-decorator] pyright[reportArgumentType]
    def b(self) -> None: ...

    @update(on_failure="stop")  # E: mypy[call-overload, untyped-decorator] pyright[reportCallIssue, reportUntypedFunctionDecorator]
    def c(self) -> None: ...

    @query(interleave=True)  # E: mypy[call-overload, untyped-decorator] pyright[reportCallIssue, reportUntypedFunctionDecorator]
    def d(self) -> None: ...

    @timer(name=3)  # E: mypy[call-overload, untyped-decorator] pyright[reportArgumentType]
    def e(self) -> None: ...

    @main(interleave=True)  # E: mypy[call-overload, untyped-decorator] pyright[reportCallIssue, reportUntypedFunctionDecorator]
    async def f(self) -> None: ...


@entity(versions=2)  # E: mypy[call-overload] pyright[reportCallIssue, reportUntypedClassDecorator]
class Unversioned: ...


@entity(version=2)
class Purse:
    cents: int = 0

    @upcast(1)
    @staticmethod
    def from_euros(stored: dict[str, Any]) -> dict[str, Any]:
        return {"cents": stored["euros"] * 100}

    @main(restartable=True)
    async def course(self) -> int:
        return self.cents


course: Main[Purse, int] = Purse.course
purse: Coroutine[Any, Any, int] = Purse().course()
