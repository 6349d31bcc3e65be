"""How fast is Temporal's dev server on a file, with a worker in Python?

A cart is a workflow with a signal, an update and a query; steps are activities.  The worker runs in the
process of the callers, as actorflow does, and the server beside it.  Workflow tasks and pollers are many
enough for all carts at once, carts stay cached, and the sandbox is off, which the documentation of the
Python SDK allows for speed.  SQLite is asked for a write-ahead log, and to sync each commit
(``--sqlite-pragma``): by default the dev server keeps a rollback journal, which is as durable, and takes
four syncs for each commit.
"""
# pyright: reportMissingImports=false
# The SDK is installed where this runs, and nowhere else.

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

from temporalio import activity, workflow
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.peers import _main, _work
from benchmarks.peers._server import free_port, server, tool

QUEUE = "carts"
LIMIT = timedelta(minutes=5)


@activity.defn
async def nothing(number: int) -> int:
    """Touch nothing."""
    return number


taken = 0
"""How many messages the carts have taken; carts are never replayed here, for all of them stay cached."""


@workflow.defn
class Cart:
    """What is in it."""

    def __init__(self) -> None:
        self.items: dict[str, tuple[int, int]] = {}

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def add_item(self, sku: str, quantity: int, cents: int) -> None:
        global taken  # noqa: PLW0603 - it is no state of the cart
        self._add(sku, quantity, cents)
        taken += 1

    @workflow.update
    def put(self, sku: str, quantity: int, cents: int) -> int:
        """Add, and answer what it comes to."""
        self._add(sku, quantity, cents)
        return sum(quantity * cents for quantity, cents in self.items.values())

    @workflow.query
    def contents(self) -> dict[str, tuple[int, int]]:
        return self.items

    def _add(self, sku: str, quantity: int, cents: int) -> None:
        held, _ = self.items.get(sku, (0, 0))
        self.items[sku] = (held + quantity, cents)


@workflow.defn
class Steps:
    """One activity after the other."""

    @workflow.run
    async def run(self, times: int) -> int:
        total = 0
        for number in range(times):
            total += await workflow.execute_activity(nothing, number, start_to_close_timeout=LIMIT)
        return total


@workflow.defn
class Tasks:
    """All activities at once."""

    @workflow.run
    async def run(self, times: int) -> int:
        asked = (
            workflow.execute_activity(nothing, number, start_to_close_timeout=LIMIT)
            for number in range(times)
        )
        return sum(await asyncio.gather(*asked))


class DevServer(_work.System):
    """Temporal."""

    name = "temporal"
    durability = "SQLite of the server, journal_mode WAL, synchronous FULL: an fsync for each commit"
    applied_when_acknowledged = False

    def __init__(self, client: Client, server_version: str) -> None:
        self.client = client
        self.version = f"{server_version}, temporalio {version('temporalio')}"

    @property
    def applied(self) -> int:
        return taken

    async def begin(self, carts: Sequence[str]) -> None:
        for start in range(0, len(carts), 20):
            await asyncio.gather(
                *(
                    self.client.start_workflow(Cart.run, id=cart, task_queue=QUEUE)
                    for cart in carts[start : start + 20]
                )
            )

    async def end(self, carts: Sequence[str]) -> None:
        for cart in carts:
            await self.client.get_workflow_handle(cart).terminate()

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        handle = self.client.get_workflow_handle(cart)
        await handle.signal(Cart.add_item, args=[sku, quantity, cents])

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        handle = self.client.get_workflow_handle(cart)
        return await handle.execute_update(Cart.put, args=[sku, quantity, cents])

    async def contents(self, cart: str) -> _work.Contents:
        held = await self.client.get_workflow_handle(cart).query(Cart.contents)
        return {sku: (quantity, cents) for sku, (quantity, cents) in held.items()}

    async def steps(self, key: str, times: int) -> int:
        return await self.client.execute_workflow(Steps.run, times, id=key, task_queue=QUEUE)

    async def tasks(self, key: str, times: int) -> int:
        return await self.client.execute_workflow(Tasks.run, times, id=key, task_queue=QUEUE)


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    program, port = tool("temporal"), free_port()
    address = f"127.0.0.1:{port}"
    command = [program, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--db-filename", str(directory / "temporal.sqlite"), "--log-level", "error"]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL"]
    async with server(command, directory, ready=lambda: Client.connect(address)) as client:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[Cart, Steps, Tasks],
            activities=[nothing],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_cached_workflows=10_000,
            max_concurrent_workflow_tasks=200,
            max_concurrent_activities=200,
            max_concurrent_workflow_task_polls=10,
            max_concurrent_activity_task_polls=10,
        )
        async with worker:
            told = await client.workflow_service.get_system_info(GetSystemInfoRequest())
            await drive(DevServer(client, f"server {told.server_version}"))


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve)


if __name__ == "__main__":
    main()
