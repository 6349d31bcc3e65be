"""What does a process leave that is told to end, and who is kept out while it lives?"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import trio

from actorflow import Runtime
from actorflow._runtime.tables import TABLES
from persistence import LmdbJournal, Locked
from tests.faults.counting import tried
from tests.tidy.house import ROOT

from .process import PATIENCE_S, Site
from .village import VILLAGE

Judge = Callable[[Site], None]

TOLD = ("--stop-when-told",)


def _opens(site: Site) -> None:
    """Nobody holds it, nothing is left to be replayed, and nobody was on the way into memory."""
    journal = LmdbJournal(site.journal)
    journal.open(TABLES)
    assert journal.noted() == b""
    assert journal.statistics().frames <= 1
    journal.close()
    assert journal.check() == []


def test_told_to_end_it_closes_in_good_order(site: Site, seed: int, effort: int, judged: Judge) -> None:
    """After SIGTERM at any moment it ends well and soon: nothing is lost, and nobody is locked out."""
    chance = Random(seed)
    for _ in range(6 * min(effort, 20)):
        beats = chance.randrange(200)
        with site.working(*TOLD) as process:
            assert process.hear_until(lambda one, beats=beats: "O" in one.marks and one.beats >= beats)  # type: ignore[misc]
            process.signal(signal.SIGTERM)
            assert process.end().code == 0
            assert process.marks == "oOcC"
        _opens(site)
        judged(site)
        tried()
    assert site.work("--messages", "3").code == 0
    judged(site)


def test_told_twice_it_ends_at_once(site: Site, judged: Judge) -> None:
    """Whoever is in a hurry loses nothing either: the second SIGTERM is as a kill."""
    for _ in range(5):
        with site.working(*TOLD) as process:
            assert process.hear_until(lambda one: one.beats >= 100)
            process.signal(signal.SIGTERM)
            assert process.hear_until(lambda one: "c" in one.marks)
            process.signal(signal.SIGTERM)
            assert process.end().code in (0, -signal.SIGTERM)
        judged(site)
        tried()


def test_interrupted_it_closes_in_good_order(site: Site, seed: int, judged: Judge) -> None:
    """Ctrl-C comes as an exception, wherever the program is, and the journal is closed on the way out."""
    chance = Random(seed)
    for _ in range(7):
        beats = chance.randrange(200)
        with site.working() as process:
            assert process.hear_until(lambda one, beats=beats: "O" in one.marks and one.beats >= beats)  # type: ignore[misc]
            process.signal(signal.SIGINT)
            ended = process.end()
            assert (ended.code, ended.errors) == (130, "interrupted\n")
        _opens(site)
        judged(site)
        tried()


def test_a_second_process_is_told_who_is_there(site: Site, judged: Judge) -> None:
    """A runtime cannot be opened on a journal that another serves; the error names it, and it goes on."""

    async def intrude() -> None:
        async with Runtime(LmdbJournal(site.journal), entities=VILLAGE):
            pytest.fail("it was opened twice")

    with site.working(*TOLD) as process:
        assert process.hear_until(lambda one: "O" in one.marks)
        for _ in range(3):
            with pytest.raises(
                Locked, match=f"process {process.pid} on {socket.gethostname()}, since 2"
            ) as told:
                trio.run(intrude)
            assert "hint: one process serves a journal" in str(told.value)
            beats = process.beats
            assert process.hear_until(lambda one, beats=beats: one.beats > beats + 20)  # type: ignore[misc]
        process.signal(signal.SIGTERM)
        assert process.end().code == 0
    judged(site)


FORKS = """
import os, sys, trio
from actorflow import NotAccepted, Runtime
from persistence import LmdbJournal
from tests.crash.village import VILLAGE, Box

async def main():
    async with Runtime(LmdbJournal(sys.argv[1]), entities=VILLAGE) as runtime:
        box, other = runtime.actor(Box, "a"), runtime.actor(Box, "b")
        await box.signal(Box.put, "c", 1)
        child = os.fork()
        if not child:
            uses = [lambda: box.signal(Box.put, "c", 2), lambda: other.update(Box.post, "c", 1), box.describe]
            told = 0
            for use in uses:
                with trio.move_on_after(1):
                    try:
                        await use()
                    except Exception as error:
                        told += isinstance(error, NotAccepted) and "fork" in str(error)
            os._exit(100 + told)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        await box.signal(Box.put, "c", 2)
        await other.signal(Box.put, "c", 1)
        print(await box.query(Box.last, "c"), (await box.query(Box.evidence)).wrong)

trio.run(main)
"""


def _forked(path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS, str(path)],
        cwd=ROOT,
        timeout=PATIENCE_S,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert LmdbJournal(path).check() == []
    return done.stdout.splitlines()


def test_a_fork_harms_nothing(tmp_path: Path) -> None:
    """Whatever the child tries, the parent goes on, and what the child sent is nowhere."""
    assert _forked(tmp_path / "journal")[1] == "2 []"


def test_a_fork_is_told_that_it_is_one(tmp_path: Path) -> None:
    """As it is told outside of trio."""
    assert _forked(tmp_path / "journal")[0] == "103"
