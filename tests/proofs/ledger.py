"""A module that entities only call; what it remembers is no actor's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache

RATES: dict[str, int] = {}
NUMBERS = itertools.count(1)
CUSTOMER: ContextVar[str] = ContextVar("customer", default="nobody")
_total = 0


class Book:
    """An object of which there is one in each process."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> int:
        """Keep a line; gives how many there are."""
        self.lines.append(line)
        return len(self.lines)


class Registry:
    """Attributes of a class are memory of the process."""

    seen: list[str] = []  # noqa: RUF012 - that it can be changed is the point
    count = 0


BOOK = Book()


def rate(currency: str) -> int:
    """What was set before, in this process."""
    return RATES[currency]


def set_rate(currency: str, cents: int) -> None:
    """Remember a rate in this process."""
    RATES[currency] = cents


def add(cents: int) -> int:
    """Give what all have added."""
    global _total  # noqa: PLW0603 - the point
    _total += cents
    return _total


def greet() -> int:
    """Count its own calls, on itself."""
    greet.calls += 1  # type: ignore[attr-defined]
    calls: int = greet.calls  # type: ignore[attr-defined]
    return calls


greet.calls = 0  # type: ignore[attr-defined]


def gather_in(word: str, words: list[str] = []) -> list[str]:  # noqa: B006 - the point
    """Give a list that is the same one in every call."""
    words.append(word)
    return list(words)


@lru_cache
def template() -> list[str]:
    """Give the same list to everybody."""
    return ["box"]


@lru_cache
def square(number: int) -> int:
    """A cache of what is the same everywhere does no harm."""
    return number * number


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


TICKETS = _numbers()
"""Which cannot be copied."""


def in_any_order(words: list[str]) -> list[str]:
    """Give each once, in the order of a set."""
    return list(set(words))


def in_order(words: list[str]) -> list[str]:
    """Give each once, sorted."""
    return sorted(set(words))


def counter():  # type: ignore[no-untyped-def]  # noqa: ANN201 - a function with a memory
    """Make a function that remembers."""
    count = 0

    def more() -> int:
        nonlocal count
        count += 1
        return count

    return more


next_number = counter()  # type: ignore[no-untyped-call]
