"""How fast is Restate's server on one node, with handlers in Python?

A cart is a virtual object; signals are one-way calls, which the server acknowledges once they are in its
log, and updates are calls with an answer.  Steps are ``ctx.run``.  Handlers are served by hypercorn in a
process of their own, with the settings for production of the Python SDK's documentation, and the callers
speak HTTP to the server's ingress.
"""
# pyright: reportMissingImports=false
# The SDK is installed where this runs, and nowhere else.

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import restate
from restate import ObjectContext, ObjectSharedContext, VirtualObject

from benchmarks.peers import _main, _work
from benchmarks.peers._server import free_port, server

TAKEN: Final = "BENCH_PEERS_TAKEN"
"""Names the file that grows by one byte with every message that a cart has taken, in whichever process."""
WORKERS: Final = max(1, (os.cpu_count() or 2) // 2)
"""The server and the callers need the other half."""
MANY: Final = 2_147_483_647
cart = VirtualObject("Cart")
course = VirtualObject("Course")


@cache
def _taken() -> int:
    return os.open(os.environ[TAKEN], os.O_WRONLY | os.O_APPEND)


async def _add(context: ObjectContext, message: dict[str, Any]) -> dict[str, list[int]]:
    items = await context.get("items", type_hint=dict) or {}
    held, _ = items.get(message["sku"], (0, 0))
    items[message["sku"]] = (held + message["quantity"], message["cents"])
    context.set("items", items)
    return items


@cart.handler()
async def add_item(context: ObjectContext, message: dict[str, Any]) -> None:
    """Add."""
    await _add(context, message)
    os.write(_taken(), b".")


@cart.handler()
async def put(context: ObjectContext, message: dict[str, Any]) -> int:
    """Add, and answer what it comes to."""
    items = await _add(context, message)
    return sum(quantity * cents for quantity, cents in items.values())


@cart.handler(kind="shared")
async def contents(context: ObjectSharedContext) -> dict[str, Any]:
    """What is in it."""
    return await context.get("items", type_hint=dict) or {}


async def nothing(number: int) -> int:
    """Touch nothing."""
    return number


@course.handler()
async def steps(context: ObjectContext, times: int) -> int:
    """One step after the other."""
    total = 0
    for number in range(times):
        total += await context.run_typed("nothing", nothing, number=number)
    return total


@course.handler()
async def tasks(context: ObjectContext, times: int) -> int:
    """All steps at once."""
    asked = [context.run_typed("nothing", nothing, number=number) for number in range(times)]
    return sum([await each for each in await restate.gather(*asked)])


app = restate.app(services=[cart, course])


class Http:
    """Calls over connections that are kept, and no more: httpx takes longer over one than the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def call(self, method: str, path: str, body: object = None) -> bytes:
        """What is answered."""
        reader, writer = (
            self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        )
        content = b"" if body is None else json.dumps(body).encode()
        kind = "" if body is None else "content-type: application/json\r\n"
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{kind}content-length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        answer = await reader.readexactly(int(headers["content-length"]))
        self.idle.append((reader, writer))
        if not status.startswith("HTTP/1.1 2"):
            raise RuntimeError(f"{method} {path}: {status}: {answer.decode()}")
        return answer

    def close(self) -> None:
        for _, writer in self.idle:
            writer.close()


class Server(_work.System):
    """Restate."""

    name = "restate"
    durability = "RocksDB of the server's log, an fdatasync of its write-ahead log for all that wait"
    applied_when_acknowledged = False

    def __init__(self, callers: Http, taken: Path, server_version: str) -> None:
        self.callers = callers
        self.taken = taken
        self.version = f"server {server_version}, restate-sdk {version('restate-sdk')}"

    @property
    def applied(self) -> int:
        return self.taken.stat().st_size

    async def add_item(self, cart: str, sku: str, quantity: int, cents: int) -> None:
        await self._post(f"/Cart/{cart}/add_item/send", {"sku": sku, "quantity": quantity, "cents": cents})

    async def put(self, cart: str, sku: str, quantity: int, cents: int) -> int:
        return int(await self._post(f"/Cart/{cart}/put", {"sku": sku, "quantity": quantity, "cents": cents}))

    async def contents(self, cart: str) -> _work.Contents:
        held = await self._post(f"/Cart/{cart}/contents")
        return {sku: (quantity, cents) for sku, (quantity, cents) in held.items()}

    async def steps(self, key: str, times: int) -> int:
        return int(await self._post(f"/Course/{key}/steps", times))

    async def tasks(self, key: str, times: int) -> int:
        return int(await self._post(f"/Course/{key}/tasks", times))

    async def _post(self, path: str, body: object = None) -> Any:
        return json.loads(await self.callers.call("POST", path, body))


async def serve(directory: Path, drive: Callable[[_work.System], Awaitable[None]]) -> None:
    """Have it for as long as it is driven."""
    ingress, admin, node, handlers = [free_port() for _ in range(4)]
    (program,) = Path(sys.prefix).glob("node_modules/@restatedev/restate-server-*/bin/restate-server")
    settings = {
        "RESTATE_BASE_DIR": str(directory / "data"),
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC": "false",  # as it is by default
        "RESTATE_LOG_FILTER": "warn",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    folder = directory / "handlers"
    folder.mkdir()
    (folder / "hypercorn.toml").write_text(
        f'bind = "127.0.0.1:{handlers}"\nworkers = {WORKERS}\n'
        f"h2_max_concurrent_streams = {MANY}\n"
        f"keep_alive_max_requests = {MANY}\nkeep_alive_timeout = {MANY}\n",
        encoding="utf-8",
    )
    hypercorn = [
        sys.executable,
        "-m",
        "hypercorn",
        "--config",
        "hypercorn.toml",
        "benchmarks.peers.in_restate:app",
    ]
    taken = folder / "taken"
    taken.touch()
    ours = {"PYTHONPATH": str(Path(__file__).parents[2]), TAKEN: str(taken)}
    callers, operator = Http(ingress), Http(admin)

    async def healthy() -> None:
        await operator.call("GET", "/health")
        await callers.call("GET", "/restate/health")

    async def registered() -> None:
        await operator.call("POST", "/deployments", {"uri": f"http://127.0.0.1:{handlers}"})

    async with (
        server([str(program)], directory, healthy, settings),
        server(hypercorn, folder, registered, ours),
    ):
        told = json.loads(await operator.call("GET", "/version"))
        await drive(Server(callers, taken, told["version"]))
        callers.close()
        operator.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Answer on standard output."""
    _main.answer_all(argv, serve)


if __name__ == "__main__":
    main()
