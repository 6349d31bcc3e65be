"""A peer's own server: started in a directory, on a free port of this machine, and ended with its block.

Runs in the peer's environment, and so imports nothing but the standard library.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
READY_WITHIN_SECONDS: Final = 60.0
ENDED_WITHIN_SECONDS: Final = 10.0


def tool(name: str, *folders: Path) -> str:
    """A program of this environment."""
    places = os.pathsep.join(str(folder) for folder in (Path(sys.executable).parent, *folders))
    found = shutil.which(name, path=places)
    if found is None:
        raise FileNotFoundError(f"there is no {name} in {places}")
    return found


def free_port() -> int:
    """A port that nobody listens on; taken a moment later, which is the best that can be had."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@asynccontextmanager
async def server(
    command: Sequence[str],
    directory: Path,
    ready: Callable[[], Awaitable[T]],
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[T]:
    """Run it for as long as the block lasts; what ``ready`` gave at last, when it no longer failed."""
    log = directory / "server.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield await _until(ready, process, log)
    finally:
        await _end(process)


async def _until(ready: Callable[[], Awaitable[T]], process: asyncio.subprocess.Process, log: Path) -> T:
    loop = asyncio.get_running_loop()
    gives_up = loop.time() + READY_WITHIN_SECONDS
    while True:
        try:
            return await ready()
        except Exception as error:
            if process.returncode is not None or loop.time() > gives_up:
                last = log.read_text("utf-8", "replace")[-2_000:]
                raise RuntimeError(f"the server did not begin: {error}\n{last}") from error
            await asyncio.sleep(0.1)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), ENDED_WITHIN_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
