"""The fingerprint: equal for equal code wherever it runs, different once anything that matters is edited."""

# ruff: noqa: ANN001, ANN201, ANN202, ANN205, ANN206, D103, E501
# The project below is typed; what probes it is as dynamic as the values it makes.
# mypy: ignore-errors
# pyright: basic, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import functools
import importlib
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

from actorflow._determinism.fingerprint import fingerprint

CART = '''
"""A cart."""
import enum
import json
import time
from attrs import define, field, frozen
from shop import prices
from shop.prices import discount

LIMITS = {"items": 10, "colours": {"red", "green", "blue"}}

class Kind(enum.Enum):
    A = 1
    B = "two"

@frozen
class Price:
    cents: int = 150

@define
class Item:
    """An item."""
    quantity: int
    kind: Kind = Kind.A
    price: Price = Price()
    tags: dict[str, int] = field(factory=dict)

    def total(self):
        """What it costs."""
        return self.quantity * prices.PRICE

@define
class Cart:
    items: dict[str, Item] = field(factory=dict)

    def add(self, sku, quantity=1, *, kind=Kind.A):
        """Add to the cart."""
        # A comment.
        if sku in {"apple", "pear", "plum", "quince"} and len(self.items) < LIMITS["items"]:
            self.items[sku] = Item(quantity, kind)
        try:
            return json.dumps([walk(quantity), (lambda: [x for x in {"a", "b", "c"}])()])
        except ValueError:
            return None

    def pay(self):
        return discount(prices.price("apple") + prices.PRICE)

    def __init_subclass__(cls):
        return super().__init_subclass__()

def walk(n):
    return walk_back(n - 1) if n else 0

def walk_back(n):
    return walk(n)
'''

WALK = CART[CART.index("def walk(") : CART.index("def walk_back")]

PRICES = """
PRICE = 150
def price(sku):
    return table(sku) + PRICE
def table(sku):
    "What it costs."
    return len(sku)
def discount(cents):
    return cents // 2
def unused():
    return 1
"""

SCRIPT = """
import sys
from actorflow._determinism.fingerprint import fingerprint
from shop.cart import Cart
print(fingerprint([Cart, Cart.add, Cart.pay], "schema", engine=1).hex())
"""


@pytest.fixture
def take(tmp_path, monkeypatch):
    """Answer a function that writes the project, edited, and takes its fingerprint."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def take(cart=CART, prices=PRICES, schema="schema", engine=1):
        write(tmp_path, cart, prices)
        module = load("shop.cart")
        return fingerprint([module.Cart, module.Cart.add, module.Cart.pay], schema, engine=engine)

    yield take
    forget()


def write(folder, cart=CART, prices=PRICES):
    (folder / "shop").mkdir(parents=True, exist_ok=True)
    (folder / "shop" / "__init__.py").write_text("")
    (folder / "shop" / "cart.py").write_text(cart)
    (folder / "shop" / "prices.py").write_text(prices)


def load(name):
    forget()
    importlib.invalidate_caches()
    return importlib.import_module(name)


def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def edited(text, old, new):
    assert text.count(old) == 1, old
    return text.replace(old, new)


def test_it_is_sixteen_bytes(take):
    """As long as the digests beside which it is stored."""
    assert len(take()) == 16


def test_it_is_equal_under_any_hash_seed_and_in_any_folder(tmp_path):
    """Two processes that run the same code agree, whatever the order of their sets and wherever they lie."""

    def run(seed):
        folder = tmp_path / f"seed {seed}"
        write(folder)
        environment = os.environ | {
            "PYTHONHASHSEED": str(seed),
            "PYTHONPATH": os.pathsep.join([str(folder), str(Path.cwd())]),
        }
        command = [sys.executable, "-W", "error", "-c", SCRIPT]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert len({run(seed) for seed in (1, 2, 3)}) == 1


@pytest.mark.parametrize(
    ("cart", "prices"),
    [
        pytest.param(edited(CART, '"""Add to the cart."""', '"""Add something to the cart."""'), PRICES, id="docstring"),
        pytest.param(edited(CART, '        """Add to the cart."""\n', ""), PRICES, id="no docstring"),
        pytest.param(edited(CART, '    """An item."""\n', ""), PRICES, id="docstring of a class"),
        pytest.param(edited(CART, "# A comment.", "# Another comment."), PRICES, id="comment"),
        pytest.param(f"# Moved.\n\n\n{CART}", PRICES, id="lines"),
        pytest.param(edited(CART, "Item(quantity, kind)", "Item(\n  quantity,\n  kind,\n )"), PRICES, id="layout"),
        pytest.param(CART, edited(PRICES, '"What it costs."', '"What one costs."'), id="docstring elsewhere"),
        pytest.param(CART, edited(PRICES, "return 1\n", "return 2\n"), id="a function nobody calls"),
        pytest.param(edited(CART, '{"apple", "pear", "plum"', '{"plum", "pear", "apple"'), PRICES, id="order of a set"),
        pytest.param(CART.replace(WALK, "") + WALK, PRICES, id="order of functions"),
        pytest.param(edited(CART, "            return None", "            pass\n            return None"), PRICES, id="pass"),
    ],
)  # fmt: skip
def test_what_does_not_matter_keeps_it(take, cart, prices):
    """Editing words, lines and order leaves the code as it was."""
    assert take(cart, prices) == take()


@pytest.mark.parametrize(
    ("cart", "prices"),
    [
        pytest.param(CART, edited(PRICES, "len(sku)", "len(sku) + 1"), id="helper of a helper in another module"),
        pytest.param(CART, edited(PRICES, "cents // 2", "cents // 3"), id="helper imported by name"),
        pytest.param(CART, edited(PRICES, "PRICE = 150", "PRICE = 151"), id="constant of another module"),
        pytest.param(edited(CART, '"items": 10', '"items": 11'), PRICES, id="constant table"),
        pytest.param(edited(CART, 'B = "two"', 'B = "three"'), PRICES, id="member of an enum"),
        pytest.param(edited(CART, "quantity=1", "quantity=2"), PRICES, id="default"),
        pytest.param(edited(CART, "*, kind=Kind.A", "*, kind=Kind.B"), PRICES, id="keyword default"),
        pytest.param(edited(CART, "    kind: Kind = Kind.A", "    kind: Kind = Kind.B"), PRICES, id="default of a field"),
        pytest.param(edited(CART, "quantity: int", "quantity: float"), PRICES, id="type of a field"),
        pytest.param(edited(CART, "self.quantity * prices", "self.quantity + prices"), PRICES, id="method of a value"),
        pytest.param(edited(CART, "walk_back(n - 1) if n else 0", "walk_back(n - 1) if n else 1"), PRICES, id="recursion"),
        pytest.param(edited(CART, "return walk(n)\n", "return walk(n) + 0\n"), PRICES, id="mutual recursion"),
        pytest.param(edited(CART, '{"a", "b", "c"}', '{"a", "b", "d"}'), PRICES, id="code inside code"),
        pytest.param(edited(CART, "except ValueError", "except TypeError"), PRICES, id="what is caught"),
        pytest.param(edited(CART, "        try:\n            return json", "        x = 1\n        try:\n            return json"), PRICES, id="a statement"),
        pytest.param(edited(CART, "json.dumps", "json.loads"), PRICES, id="function of the library"),
        pytest.param(edited(CART, "import discount", "import unused as discount"), PRICES, id="another under the name"),
    ],
)  # fmt: skip
def test_what_matters_changes_it(take, cart, prices):
    """Whatever a replay could compute differently makes another fingerprint."""
    assert take(cart, prices) != take()


def test_what_a_try_covers_matters(take):
    """Moving a statement into the block changes no instruction, only the table of what catches."""
    outside = edited(
        CART,
        "        try:\n            return json",
        "        walk(1)\n        try:\n            return json",
    )
    inside = edited(CART, "            return json", "            walk(1)\n            return json")
    assert take(outside) != take(inside)


def test_schema_and_engine_matter(take):
    """A field's type, or a new order of effects in the engine, may change a state that the same code computes."""
    assert len({take(), take(schema="other"), take(engine=2)}) == 3


def test_the_order_of_the_functions_does_not_matter(take):
    """Nor that a function is named twice."""
    take()
    cart = sys.modules["shop.cart"].Cart
    one = fingerprint([cart.add, cart.pay], "s", engine=1)
    assert one == fingerprint([cart.pay, cart.add], "s", engine=1)
    assert one != fingerprint([cart.pay], "s", engine=1)


def test_a_profile_function_does_not_change_it(take):
    """From 3.12 on Python rewrites the instructions of what is being watched, and as it runs; not for us."""
    before = take()
    cart = sys.modules["shop.cart"].Cart
    previous = sys.getprofile()
    sys.setprofile(lambda frame, event, arg: None)
    try:
        for _ in range(50):
            cart().add("apple")
        after = fingerprint([cart, cart.add, cart.pay], "schema", engine=1)
    finally:
        sys.setprofile(previous)
    assert after == before


def of(value, name="VALUE"):
    """Take the fingerprint of a function that uses a global value."""
    namespace = {"__name__": "shop_of_a_test", name: value}
    exec(f"def handler():\n return {name}", namespace)  # noqa: S102
    return fingerprint([namespace["handler"]], "", engine=1)


class Colour(Enum):
    RED = 1
    BLUE = 2


@attrs.frozen
class Limits:
    items: int = 1
    late: int = attrs.field(init=False)


class Shop:
    @property
    def price(self):
        return 1

    @staticmethod
    def rate():
        return 1

    @classmethod
    def make(cls):
        return cls()

    @functools.cached_property
    def slow(self):
        return 1


def first():
    return 1


def second():
    return 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", b"1"),
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2}, {1, 3}),
        (Decimal("1.0"), Decimal("1.00")),
        (timedelta(1), timedelta(2)),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)),
        (re.compile("a"), re.compile("a", re.IGNORECASE)),
        (Colour.RED, Colour.BLUE),
        (Limits(items=1), Limits(items=2)),
        (first, second),
        ({"a": first}, {"a": second}),
        (functools.partial(first, 1), functools.partial(first, 2)),
        (functools.lru_cache(first), functools.lru_cache(second)),
        (list[int], list[str]),
        (len, max),
        (SimpleNamespace(__name__="charge"), SimpleNamespace(__name__="refund")),
        (Shop, Limits),
        (Shop().make, Limits),
        (attrs.NOTHING, None),
    ],
)
def test_constants_are_told_apart(one, other):
    """A constant is described in full, with its type; a thing of the project by what it says."""
    assert of(one) != of(other)
    assert of(one) == of(one)


def test_values_that_cannot_be_described_are_equal():
    """An object of an unknown type counts by its type alone, and addresses never count."""
    assert of(object()) == of(object())
    assert of(SimpleNamespace(a=1)) == of(SimpleNamespace(a=2))
    assert of(SimpleNamespace(__name__=1)) == of(SimpleNamespace(__name__=2))
    assert of(sys) == of(sys)


def test_a_table_in_lower_case_does_not_count():
    """It may be filled while the program runs, and then says nothing about the code."""
    assert of({"a": 1}, "value") == of({"a": 2}, "value")
    assert of({"a": 1}, "VALUE") != of({"a": 2}, "VALUE")


def test_a_constant_that_contains_itself_ends():
    """Depth is bounded."""
    loop = {}
    loop["again"] = loop
    assert of(loop) == of(loop)


def test_closures_and_wrapped_functions_count():
    """What a function carries along is part of it."""

    def make(rate):
        def handler(self):
            return rate

        return handler

    def empty():
        def handler(self):
            return later

        yield handler
        later = 1
        yield later

    def wrapped(function):
        @functools.wraps(function)
        def wrapper():
            return 0

        return wrapper

    def take(function):
        return fingerprint([function], "", engine=1)

    assert take(make(1)) != take(make(2))
    assert take(next(empty())) == take(next(empty()))
    assert take(wrapped(first)) != take(wrapped(second))


def test_the_version_of_a_package_counts(monkeypatch):
    """Its code is not read; a new release may compute something else."""
    before = of(attrs.asdict)
    monkeypatch.setitem(vars(sys.modules["attr"]), "__version__", "0.1")
    assert of(attrs.asdict) != before


def test_actorflow_itself_counts_by_its_engine_version_only(tmp_path):
    """A method that an entity got from actorflow does not make all of actorflow part of it."""
    from actorflow.errors import Refused

    assert len(fingerprint([Refused, Refused.fact], "", engine=1)) == 16
    assert of(Refused) != of(Limits)
