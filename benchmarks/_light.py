"""The least that a durable message can cost: a bare trio loop with the promise of a signal, and nothing else.

Callers hand over a message and wait.  One task packs what has gathered into one frame, has a thread append it
to LMDB and sync, applies each message to a dictionary, and wakes the callers.
"""

from __future__ import annotations

import time
from pathlib import Path

import lmdb
import trio
from msgpack import Packer
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

from ._case import Found

__all__ = ["bare_commits", "light", "whom"]


def whom(caller: int, number: int, actors: int) -> int:
    """To which actor a caller sends its message of this number: all over the place, and always the same."""
    return (caller * 7919 + number * 31) % actors


class Light:
    """The bare loop."""

    def __init__(self, path: Path, actors: int) -> None:
        self.journal = lmdb.open(str(path), map_size=1 << 34, max_dbs=1, lib_version=0)
        self.log = self.journal.open_db(b"log")
        self.carts: list[dict[str, int]] = [{} for _ in range(actors)]
        self.gathered: list[tuple[Task, int, tuple[str, int] | tuple[str, int, str]]] = []
        self.stirred = trio.Event()
        self.commits = 0

    async def send(self, actor: int, message: tuple[str, int] | tuple[str, int, str]) -> None:
        """Return when the message is durable."""
        self.gathered.append((current_task(), actor, message))
        self.stirred.set()
        await wait_task_rescheduled(lambda _: Abort.FAILED)

    def _append(self, number: int, frame: bytes) -> None:
        with self.journal.begin(db=self.log, write=True) as transaction:
            transaction.put(number.to_bytes(8, "big"), frame, append=True)

    async def commit(self, messages: int) -> None:
        """Commit until so many have been sent."""
        pack = Packer(autoreset=True).pack
        done = 0
        while done < messages:
            await self.stirred.wait()
            await trio.lowlevel.checkpoint()
            batch, self.gathered, self.stirred = self.gathered, [], trio.Event()
            now = time.time_ns()
            frame = b"".join(
                pack((actor, done + place, now, "add_item", message))
                for place, (_, actor, message) in enumerate(batch)
            )
            await trio.to_thread.run_sync(self._append, done, frame)
            for task, actor, message in batch:
                cart = self.carts[actor]
                cart[message[0]] = cart.get(message[0], 0) + message[1]
                reschedule(task)
            done += len(batch)
            self.commits += 1


async def light(path: Path, callers: int, actors: int, messages: int, payload: str = "") -> Found:
    """Messages a second, each with such a payload besides; as many from each caller."""
    messages -= messages % callers
    bare = Light(path, actors)

    async def call(caller: int) -> None:
        for number in range(messages // callers):
            sku = f"sku-{number % 10}"
            await bare.send(whom(caller, number, actors), (sku, 1, payload) if payload else (sku, 1))

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bare.commit, messages)
        for caller in range(callers):
            nursery.start_soon(call, caller)
    took = time.perf_counter() - began
    assert sum(sum(cart.values()) for cart in bare.carts) == messages
    bare.journal.close()
    return Found(messages / took, messages, {"messages a commit": messages / bare.commits})


def bare_commits(path: Path, times: int, size: int) -> list[float]:
    """Seconds that each of so many commits takes, of a frame of so many bytes: LMDB, and nothing else."""
    frame = bytes(size)
    took: list[float] = []
    with lmdb.open(str(path), map_size=1 << 34, max_dbs=1, lib_version=0) as journal:
        log = journal.open_db(b"log")
        for number in range(times):
            began = time.perf_counter()
            with journal.begin(db=log, write=True) as transaction:
                transaction.put(number.to_bytes(8, "big"), frame, append=True)
            took.append(time.perf_counter() - began)
        with journal.begin(db=log) as transaction:
            assert transaction.stat(log)["entries"] == times
    return took
