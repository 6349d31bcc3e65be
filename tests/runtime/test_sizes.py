"""A payload as large as it may be, a byte smaller, a byte larger: is the bound where it is said to be?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import field

from actorflow import LimitExceeded, Limits, Runtime, entity, query, signal, update
from actorflow._runtime.handle import ActorHandle
from persistence import MemoryJournal


@entity
class Vault:
    """Keeps whatever it is given."""

    held: dict[str, list[str]] = field(factory=dict[str, list[str]])

    @signal
    def keep(self, what: dict[str, list[str]]) -> None:
        self.held = what

    @update
    def swap(self, what: dict[str, list[str]]) -> dict[str, list[str]]:
        self.held = what
        return what

    @query
    def all(self) -> dict[str, list[str]]:
        return self.held


SHAPES: dict[str, Callable[[str], dict[str, list[str]]]] = {
    "one text": lambda pad: {"": [pad]},
    "many texts": lambda pad: {"k": ["apple"] * 40 + [pad]},
    "a long key": lambda pad: {pad: []},
    "other letters": lambda pad: {"ключ": ["яблоко", "\U0001f34e", "", pad]},
    "zeros and controls": lambda pad: {"\0": ["\0\n\x1b", pad]},
}


def _size(what: dict[str, list[str]]) -> int:
    return len(Vault.keep.arguments.encode((what,), {}))


def _of_size(shape: str, size: int) -> dict[str, list[str]]:
    """Something of this shape that is so many bytes with all around it."""
    make = SHAPES[shape]
    pad = size - _size(make(""))
    found = make("x" * pad)
    while _size(found) > size:
        pad -= 1
        found = make("x" * pad)
    assert _size(found) == size, "there is a pad for it"
    return found


async def _see_bound(how: str, shape: str, limit: int, more: int) -> None:
    what = _of_size(shape, limit + more)
    limits = Limits(payload_bytes=limit)
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Vault], limits=limits) as runtime:
        vault = runtime.actor(Vault, "v")
        if more > 0:
            with pytest.raises(LimitExceeded, match=f"payload_bytes={limit}"):
                await _give(vault, how, what)
            assert (await vault.describe()).seq == 0
            return
        await _give(vault, how, what)
    async with Runtime(journal, entities=[Vault], limits=limits) as runtime:
        assert await runtime.actor(Vault, "v").query(Vault.all) == what


async def _give(vault: ActorHandle[Vault], how: str, what: dict[str, list[str]]) -> None:
    if how == "signal":
        await vault.signal(Vault.keep, what)
    else:
        assert await vault.update(Vault.swap, what) == what


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("limit", [1_000, 100_000])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", ["signal", "update"])
async def test_up_to_the_limit_and_no_further(how: str, shape: str, limit: int, more: int) -> None:
    """What has just room arrives whole, and is there behind a restart; a byte more is refused by name."""
    await _see_bound(how, shape, limit, more)


async def test_a_limit_that_is_off_by_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a handle that lets pass a byte more, and one that refuses the last, fail the test."""
    message: Any = ActorHandle.message
    for wrong in (1, -1):

        def off(handle: Any, *given: Any, wrong: int = wrong) -> Any:
            handle._payload_bytes += wrong
            try:
                return message(handle, *given)
            finally:
                handle._payload_bytes -= wrong

        monkeypatch.setattr(ActorHandle, "message", off)
        with pytest.raises((pytest.fail.Exception, LimitExceeded)):
            await _see_bound("signal", "one text", 1_000, 1 if wrong > 0 else 0)
