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


class Light:
    """The bare loop."""

    def __init__(self, path: Path, actors: int) -> None:
        self.journal = lmdb.open(str(path), map_size=1 << 34, max_dbs=1, lib_version=0)
        self.log = self.journal.open_db(b"log")
        self.carts: list[dict[str, int]] = [{} for _ in range(actors)]
        self.gathered: list[tuple[Task, int, str, int]] = []
        self.stirred = trio.Event()
        self.commits = 0

    async def send(self, actor: int, sku: str, quantity: int) -> None:
        """Return when the message is durable."""
        self.gathered.append((current_task(), actor, sku, quantity))
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
                pack((actor, done + place, now, "add", (sku, quantity)))
                for place, (_, actor, sku, quantity) in enumerate(batch)
            )
            await trio.to_thread.run_sync(self._append, done, frame)
            for task, actor, sku, quantity in batch:
                cart = self.carts[actor]
                cart[sku] = cart.get(sku, 0) + quantity
                reschedule(task)
            done += len(batch)
            self.commits += 1


async def light(path: Path, callers: int, actors: int, messages: int) -> float:
    """Messages a second."""
    bare = Light(path, actors)

    async def call(first: int) -> None:
        for number in range(messages // callers):
            await bare.send((first * 7919 + number * 31) % actors, f"sku-{number % 10}", 1)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bare.commit, messages)
        for first in range(callers):
            nursery.start_soon(call, first)
    took = time.perf_counter() - began
    assert sum(sum(cart.values()) for cart in bare.carts) == messages
    bare.journal.close()
    return messages / took
