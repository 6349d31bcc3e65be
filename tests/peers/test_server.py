"""Does a peer's server begin, and end with its block?  And does one say why it did not begin?"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from benchmarks.peers import _server
from benchmarks.peers._server import free_port, server, tool

BEGINS = (
    "import os, pathlib, signal; pathlib.Path('pid').write_text(str(os.getpid())); {more}; signal.pause()"
)


def command(more: str = "pass") -> list[str]:
    """A server that writes its number, and then waits."""
    return [sys.executable, "-c", BEGINS.format(more=more)]


async def kept(directory: Path, more: str = "pass") -> int:
    """Have a server for a moment; its number."""

    async def ready() -> int:
        return int((directory / "pid").read_text("utf-8"))

    async with server(command(more), directory, ready) as pid:
        os.kill(pid, 0)
        return pid


@pytest.mark.parametrize("more", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_a_server_ends_with_its_block(more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there inside the block and gone behind it, whether it ends when it is told to or not."""
    monkeypatch.setattr(_server, "ENDED_WITHIN_SECONDS", 1.0)
    pid = asyncio.run(kept(tmp_path, more))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_does_not_begin_says_why(tmp_path: Path) -> None:
    """What it printed last is in the error, and nobody waits for one that has ended already."""

    async def never() -> None:
        raise ConnectionRefusedError("nobody there")

    async def main() -> None:
        async with server([sys.executable, "-c", "import sys; sys.exit('no room')"], tmp_path, never):
            pass

    with pytest.raises(RuntimeError, match="did not begin: nobody there\nno room"):
        asyncio.run(main())


def test_a_free_port_can_be_taken() -> None:
    """The port is one that a server can listen on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_a_missing_program_is_named() -> None:
    """A program that the environment should have had is named, with where it was looked for."""
    with pytest.raises(FileNotFoundError, match="there is no no-such-program in "):
        tool("no-such-program")
