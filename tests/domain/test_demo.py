"""The story of the demonstration: it shows what it says, and would say so if it were not so."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from actorflow import Runtime
from entities.account import Account
from entities.cart import Cart
from entities.demo import plan
from entities.demo.__main__ import Display, under_load
from entities.demo.check import check
from entities.demo.plan import Tally
from persistence import LmdbJournal


def test_what_is_killed_comes_back(tmp_path: Path) -> None:
    """From the command line: killed, started again, and everything is there; the journal can be kept."""
    journal = tmp_path / "journal"
    command = [sys.executable, "-m", "entities.demo", "--seconds", "0.5", "--keep", str(journal)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was lost, nothing was repeated" in done.stdout
    assert journal.is_dir()


def test_what_was_not_acknowledged_is_sent_again_however_little_time_there_is(tmp_path: Path) -> None:
    """On a busy machine time is over before all begin; what one had sent before the kill may be there."""
    directory, tally = str(tmp_path / "journal"), Tally()
    under_load(directory, tally, Display(io.StringIO()), 0.1, kill=True)
    before = list(tally.done)
    resumed = under_load(directory, tally, Display(io.StringIO()), 0.0, kill=False)
    assert all(now > then for now, then in zip(tally.done, before, strict=True))
    assert (resumed.code, trio.run(check, directory, tally)) == (0, [])


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Tally]:
    """A directory in which a process has worked until it was killed, and what it said."""
    directory, tally = str(tmp_path_factory.mktemp("demo") / "journal"), Tally()
    killed = under_load(directory, tally, Display(io.StringIO()), 0.1, kill=True)
    assert killed.code == -signal.SIGKILL
    resumed = under_load(directory, tally, Display(io.StringIO()), 0.1, kill=False)
    assert (resumed.code, trio.run(check, directory, tally)) == (0, [])
    return directory, tally


def test_a_lost_message_is_noticed(worked: tuple[str, Tally]) -> None:
    """If more was acknowledged than is there, the demonstration says where."""
    directory, tally = worked
    tally.done[7] += 1
    (complaint,) = trio.run(check, directory, tally)
    assert complaint.startswith(f"{plan.cart_name(7)} holds ")
    tally.done[7] -= 1


def test_a_split_transfer_is_noticed(worked: tuple[str, Tally]) -> None:
    """If a balance is not what was acknowledged, the demonstration says whose."""
    directory, tally = worked
    tally.balances[3] += 1
    (complaint,) = trio.run(check, directory, tally)
    assert complaint.startswith(f"{plan.account_name(3)} has ")
    tally.balances[3] -= 1


def test_what_nobody_sent_is_noticed(worked: tuple[str, Tally]) -> None:
    """If there is more than was sent, in a cart or in the books, the demonstration says so."""
    directory, tally = worked

    async def tamper() -> None:
        async with Runtime(LmdbJournal(directory), entities=[Cart, Account]) as runtime:
            await runtime.actor(Cart, plan.cart_name(0)).signal(Cart.add_item, "gold", 1, cents=100)
            await runtime.actor(Account, plan.account_name(0)).update(Account.deposit, 1)

    trio.run(tamper)
    assert [complaint.split()[0] for complaint in trio.run(check, directory, tally)] == [
        plan.cart_name(0),
        plan.account_name(0),
        "all",
    ]


def test_a_message_out_of_order_is_noticed() -> None:
    """An acknowledgement that skips a message is no success."""
    tally = Tally()
    tally.take(0, 1, 100, taken=True)
    tally.take(0, 3, 100, taken=True)
    assert tally.out_of_order == ["caller 0: message 3 after 1"]
