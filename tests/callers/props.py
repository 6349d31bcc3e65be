"""A shelf to call, a journal whose commits wait for a gate, and a bound on how long anything may take."""

from __future__ import annotations

import asyncio
import faulthandler
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from attrs import evolve, field

from actorflow import Limits, Refused, callback, complete, entity, query, signal, update
from persistence import MemoryJournal
from persistence._batch import Collected

__all__ = ["SECONDS", "GatedJournal", "Shelf", "begun", "bounded", "in_asyncio", "limits"]

T = TypeVar("T")

SECONDS = 60
"""Nothing here takes one; what takes so long hangs."""


@entity
class Shelf:
    """Goods in the order in which they came."""

    goods: list[str] = field(factory=list[str])
    tokens: list[str] = field(factory=list[str])

    @signal
    def put(self, what: str) -> None:
        self.goods.append(what)

    @update
    def take(self, what: str) -> int:
        if what not in self.goods:
            raise Refused(f"no {what}")
        self.goods.remove(what)
        return len(self.goods)

    @update
    def drop(self, what: str) -> int:
        raise ValueError(f"{what} is broken")

    @update
    async def hold(self) -> int:
        """Keep the shelf to oneself until somebody from outside says how long that was."""
        promise = callback(int, timeout=None)
        self.tokens.append(promise.token)
        return await promise

    @signal
    def close(self) -> None:
        complete(len(self.goods))

    @query
    def all(self) -> list[str]:
        return self.goods

    @query
    def token(self) -> str:
        return self.tokens[-1]


class GatedJournal(MemoryJournal):
    """A journal in memory whose commits wait while the gate is shut, and fail when they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.writing = threading.Event()
        """A commit stands before the gate, or has stood there."""
        self.failure: BaseException | None = None

    def shut(self) -> None:
        """Let the next commit wait."""
        self.writing.clear()
        self.gate.clear()

    def _commit(self, batch: Collected, /) -> None:
        self.writing.set()
        assert self.gate.wait(SECONDS), "nobody opened the gate"
        if self.failure is not None:
            raise self.failure
        super()._commit(batch)


def limits(**changed: int) -> Limits | None:
    """Limits with these changed, or none."""
    return evolve(Limits(), **cast("dict[str, Any]", changed)) if changed else None


def begun(work: Callable[[], T]) -> Future[T]:
    """Do this in a thread of its own."""
    given: Future[T] = Future()

    def run() -> None:
        try:
            given.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            given.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return given


def bounded(work: Callable[[], T]) -> T:
    """Do this in a thread, and give what it gives; what hangs fails."""
    given = begun(work)
    try:
        return given.result(SECONDS)
    except TimeoutError:
        if not given.done():
            faulthandler.dump_traceback()  # who waits for what
        raise


def in_asyncio(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run this in a loop of asyncio; what hangs fails."""
    return bounded(lambda: asyncio.run(main()))
