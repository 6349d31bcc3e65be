"""Everything about an entity is checked while its class is defined, and the error says what to write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field

from actorflow import DefinitionError, Limits, entity, main, query, signal, timer, upcast, update
from actorflow._authoring.entity import spec_of


def _refused(make: Callable[[], Any]) -> str:
    with pytest.raises(DefinitionError) as refused:
        make()
    return str(refused.value)


def test_no_base_class() -> None:
    """Nobody subclasses anything."""

    class Base: ...

    def make() -> None:
        @entity
        class Cart(Base):
            @signal
            def go(self) -> None: ...

    assert _refused(make) == (
        "test_no_base_class.<locals>.make.<locals>.Cart: an entity has no base class, and this one has Base\n"
        "  hint: write the fields and handlers into the class; share behaviour by calling functions"
    ).replace("test_no_base_class.<locals>.make.<locals>.", "")


def test_no_handler() -> None:
    """A class that nothing can reach is no entity."""

    def make() -> None:
        @entity
        class Cart:
            n: int = 0

    assert "Cart: has no handler" in _refused(make)


def test_a_shared_default() -> None:
    """A mutable default would be one object for all actors."""

    def make() -> None:
        @entity
        class Cart:
            items: list[str] = []  # noqa: RUF012 - what is refused

            @signal
            def go(self) -> None: ...

    assert "write = field(factory=list) instead" in _refused(make)


def test_state_outside_the_fields() -> None:
    """A mutable value on the class is memory that no journal knows."""

    def make() -> None:
        @entity
        class Cart:
            cache = {}  # type: ignore[var-annotated]  # noqa: RUF012 - what is refused

            @signal
            def go(self) -> None: ...

    assert "cache: dict[...] = field(factory=dict)" in _refused(make)


def test_a_type_that_cannot_be_stored() -> None:
    """A field's type is refused by name."""

    def make() -> None:
        @entity
        class Cart:
            on_done: Callable[[], None]

            @signal
            def go(self) -> None: ...

    assert "Cart.on_done" in _refused(make)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: signal(lambda self: None), "goes on a method"),
        (lambda: update(name="")(_plain), "cannot be a stored name: it is empty"),
        (lambda: signal(name="a\nb")(_plain), "it holds a control character"),
        (lambda: signal(aliases="old")(_plain), "write aliases=['old']"),
        (lambda: signal(on_failure="explode")(_plain), 'write "park" or "stop"'),  # type: ignore[call-overload]
        (lambda: upcast(0), "is not a version"),
    ],
    ids=["lambda", "empty", "control", "aliases", "on_failure", "upcast"],
)
def test_decorators_check_what_they_are_given(make: Callable[[], Any], text: str) -> None:
    """Each mistake is named where it is made."""
    assert text in _refused(make)


def _plain(self: Any) -> None: ...


def test_names_are_had_once() -> None:
    """Two handlers cannot share a name, and an alias is a name."""

    def make() -> None:
        @entity
        class Cart:
            @signal
            def put(self) -> None: ...

            @signal(aliases=["put"])
            def add(self) -> None: ...

    assert "'put' is also a name of" in _refused(make)


def test_kinds_of_handlers_have_their_forms() -> None:
    """Signals and timers answer nothing, queries do not wait, main is one async def without arguments."""

    def answering() -> None:
        @entity
        class Cart:
            @signal  # type: ignore[type-var]  # what is refused
            def put(self) -> int:
                return 1

    assert "a signal gives no answer" in _refused(answering)

    def waiting() -> None:
        @entity
        class Cart:
            @query
            async def total(self) -> int:
                return 1

    assert "a query cannot wait" in _refused(waiting)

    def plain_main() -> None:
        @entity
        class Cart:
            @main  # type: ignore[arg-type]  # what is refused
            def course(self) -> None: ...

    assert "main is an async def without arguments" in _refused(plain_main)

    def two_mains() -> None:
        @entity
        class Cart:
            @main
            async def course(self) -> None: ...

            @main
            async def other(self) -> None: ...

    assert "has two mains" in _refused(two_mains)

    def yielding() -> None:
        @entity
        class Cart:
            @signal
            def put(self) -> Any:
                yield 1

    assert "a handler does not yield" in _refused(yielding)

    def timed() -> None:
        @entity
        class Cart:
            @timer  # type: ignore[arg-type]  # what is refused
            def later(self) -> int:
                return 1

    assert "a timer gives no answer" in _refused(timed)


def test_a_validator_takes_what_its_update_takes() -> None:
    """It sees the same arguments, so it has the same parameters; and there is one."""

    def other() -> None:
        @entity
        class Cart:
            @update
            def put(self, sku: str) -> None: ...

            @put.validator  # type: ignore[arg-type]  # what is refused
            def _check(self, sku: int) -> None: ...

    assert "it gets what the update gets" in _refused(other)

    def waiting() -> None:
        @entity
        class Cart:
            @update
            def put(self, sku: str) -> None: ...

            @put.validator  # type: ignore[arg-type]  # what is refused
            async def _check(self, sku: str) -> None: ...

    assert "a validator cannot wait" in _refused(waiting)


def test_versions_have_their_upcasts() -> None:
    """Each earlier version has one, of its own name, and none is beyond."""

    def missing() -> None:
        @entity(version=3)
        class Cart:
            @upcast(1)
            @staticmethod
            def first(stored: dict[str, Any]) -> dict[str, Any]:
                return stored

            @signal
            def put(self) -> None: ...

    assert "version 3 has no upcast from version 2" in _refused(missing)

    def beyond() -> None:
        @entity
        class Cart:
            @upcast(1)
            @staticmethod
            def first(stored: dict[str, Any]) -> dict[str, Any]:
                return stored

            @signal
            def put(self) -> None: ...

    assert "write @entity(version=2)" in _refused(beyond)


def test_an_entity_is_an_attrs_class_with_slots() -> None:
    """A misspelt field is an error and no state that nobody keeps; states compare by their fields."""

    @entity(name="cart", limits=Limits(timers=3))
    class Cart:
        items: list[str] = field(factory=list)

        @signal
        def put(self, sku: str) -> None:
            self.items.append(sku)

    assert Cart(["a"]) == Cart(["a"])
    with pytest.raises(AttributeError):
        Cart().itms = []  # type: ignore[attr-defined]
    spec = spec_of(Cart)
    assert (spec.name, spec.limits.timers, spec.new) == ("cart", 3, Cart)


def test_an_entity_may_be_defined_with_attrs_already() -> None:
    """``@define`` under ``@entity`` is kept as it is."""

    @entity
    @define
    class Cart:
        owner: str

        @signal
        def put(self) -> None: ...

    assert spec_of(Cart).required == ("owner",)
    assert spec_of(Cart).new is None


def test_importing_for_authoring_pulls_in_neither_trio_nor_lmdb() -> None:
    """An entity module can be imported inside another host."""
    program = (
        "import sys\n"
        "import actorflow\n"
        "homes = {name: home for home, names in actorflow._HOMES.items() for name in names}\n"
        "[getattr(actorflow, name) for name, home in homes.items() if not home.startswith('_runtime')]\n"
        "import actorflow.testing\n"
        "sys.exit(','.join(sorted({'trio', 'lmdb', 'asyncio'} & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
