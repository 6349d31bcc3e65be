"""The story of accounts: money comes in, goes out, and between two of them is never lost or doubled."""

from __future__ import annotations

import contextlib
import random

import pytest
import trio

from actorflow import IdReused, Refused, Runtime
from actorflow.testing import Scenario
from entities.account import LINES_MAX, UNDER_WAY_MAX, Account, Transfer
from persistence import MemoryJournal

NAMES = ["rent", "food", "save", "play"]


@pytest.fixture
def account() -> Scenario[Account]:
    """An account with 1,000 cents."""
    opened = Scenario(Account, "rent")
    assert opened.update(Account.deposit, 1_000).value == 1_000
    return opened


# ---- one account -------------------------------------------------------------------------------------


def test_money_comes_in_and_goes_out(account: Scenario[Account]) -> None:
    """The balance is what was paid in, less what was paid out."""
    assert account.update(Account.withdraw, 300).value == 700
    assert account.update(Account.deposit, 50).value == 750
    assert account.query(Account.balance) == 750


@pytest.mark.parametrize("cents", [1_001, 0, -5])
def test_no_balance_falls_below_zero(account: Scenario[Account], cents: int) -> None:
    """More than there is, or what is no amount, is refused, and leaves nothing behind."""
    before = len(account.history)
    with pytest.raises(Refused):
        _ = account.update(Account.withdraw, cents).value
    with pytest.raises(Refused):
        _ = account.update(Account.transfer, "food", cents).value
    assert (account.query(Account.balance), len(account.history)) == (1_000, before)


def test_an_id_moves_money_once(account: Scenario[Account]) -> None:
    """Who asks again with the same id gets the same answer, and pays once; another request is an error."""
    answers = {account.once("rent").update(Account.withdraw, 300).value for _ in range(3)}
    assert answers == {700}
    with pytest.raises(IdReused):
        account.once("rent").update(Account.withdraw, 301)
    sent = {account.once("gift").update(Account.transfer, "food", 100).value for _ in range(3)}
    assert len(sent) == 1
    assert account.query(Account.balance) == 600


def test_a_refusal_can_be_tried_again(account: Scenario[Account]) -> None:
    """What was refused for want of money is done, under the same id, once there is some."""
    with pytest.raises(Refused):
        _ = account.once("rent").update(Account.withdraw, 1_200).value
    account.update(Account.deposit, 500)
    assert account.once("rent").update(Account.withdraw, 1_200).value == 300


def test_a_statement_is_bounded_and_says_so(account: Scenario[Account]) -> None:
    """The newest lines are shown; how many are not, and what they came to, is said: it always adds up."""
    for cents in range(1, 151):
        account.update(Account.deposit, cents)
    statement = account.query(Account.statement)
    assert [line.cents for line in statement.lines] == list(range(51, 151))
    assert (statement.left_out, len(statement.lines)) == (151 - LINES_MAX, LINES_MAX)
    assert statement.carried + sum(line.cents for line in statement.lines) == statement.balance


# ---- a transfer, from each end -----------------------------------------------------------------------


def test_money_that_left_is_under_way(account: Scenario[Account]) -> None:
    """In the turn in which money leaves it is sent on, and it is under way until the other account has it."""
    transfer = account.update(Account.transfer, "food", 300).value
    (sent,) = account.sent
    assert (sent.key, sent.handler, sent.arguments) == ("food", "take", (transfer, 300, "rent"))
    assert account.query(Account.under_way) == {transfer: Transfer("food", 300)}
    account.restart()
    account.signal(Account.arrived, transfer)
    assert (account.query(Account.balance), account.query(Account.under_way)) == (700, {})


def test_what_is_not_taken_comes_back(account: Scenario[Account]) -> None:
    """Money that the other account sends back is there again."""
    transfer = account.update(Account.transfer, "food", 300).value
    account.signal(Account.take_back, transfer)
    assert (account.query(Account.balance), account.query(Account.under_way)) == (1_000, {})
    assert [line.what for line in account.query(Account.statement).lines] == ["deposit", "sent", "returned"]


def test_money_cannot_come_back_twice(account: Scenario[Account]) -> None:
    """Word of a transfer that is over is set aside and moves nothing."""
    transfer = account.update(Account.transfer, "food", 300).value
    for handler in (Account.take_back, Account.take_back, Account.arrived):
        account.signal(handler, transfer)
    assert (account.query(Account.balance), len(account.parked)) == (1_000, 2)


def test_an_account_that_is_not_open_sends_back() -> None:
    """To a name that nobody has opened, by a slip of the pen, or that was closed, no money goes."""
    account = Scenario(Account, "food")
    account.signal(Account.take, "t-1", 300, "rent")
    assert [(sent.key, sent.handler) for sent in account.sent] == [("rent", "take_back")]
    account.update(Account.deposit, 5)
    account.signal(Account.take, "t-2", 300, "rent")
    assert [(sent.key, sent.handler) for sent in account.sent] == [("rent", "arrived")]
    account.update(Account.withdraw, 305)
    assert account.update(Account.close).value is None
    account.signal(Account.take, "t-3", 300, "rent")
    assert [(sent.key, sent.handler) for sent in account.sent] == [("rent", "take_back")]
    with pytest.raises(Refused, match="closed"):
        _ = account.update(Account.deposit, 5).value


def test_no_account_is_closed_over_money(account: Scenario[Account]) -> None:
    """While there is money in it, or of it under way, an account stays open."""
    transfer = account.update(Account.transfer, "food", 1_000).value
    with pytest.raises(Refused, match="1 transfers under way"):
        _ = account.update(Account.close).value
    account.signal(Account.take_back, transfer)
    with pytest.raises(Refused, match="1000 cents"):
        _ = account.update(Account.close).value


def test_what_is_under_way_is_bounded(account: Scenario[Account]) -> None:
    """An account of which nobody takes the money does not send without end, nor anything to itself."""
    for _ in range(UNDER_WAY_MAX):
        account.update(Account.transfer, "food", 1)
    with pytest.raises(Refused, match="under way"):
        _ = account.update(Account.transfer, "food", 1).value
    with pytest.raises(Refused, match="itself"):
        _ = account.update(Account.transfer, "rent", 1).value


# ---- many accounts, in a runtime ---------------------------------------------------------------------


async def books(runtime: Runtime) -> tuple[int, int]:
    """What all accounts hold, and what is under way between them."""
    accounts = [runtime.actor(Account, one.key) for one in await runtime.list(Account)]
    held = [await account.query(Account.balance) for account in accounts]
    leaving = [await account.query(Account.under_way) for account in accounts]
    return sum(held), sum(transfer.cents for one in leaving for transfer in one.values())


async def shuffle(runtime: Runtime, seed: int, times: int) -> None:
    """Send money from anybody to anybody, also to an account that is closed and one that was never opened."""
    chance = random.Random(seed)
    for number in range(times):
        sender = runtime.actor(Account, chance.choice(NAMES)).once(f"transfer-{seed}-{number}")
        with contextlib.suppress(Refused):
            await sender.update(
                Account.transfer, chance.choice([*NAMES, "closed", "nobody"]), chance.randint(1, 400)
            )


async def test_money_only_moves(seed: int) -> None:
    """However many send money at the same time, all of it is somewhere, and at last in an account."""
    async with Runtime(MemoryJournal(), entities=[Account], strict=True) as runtime:
        for name in NAMES:
            await runtime.actor(Account, name).update(Account.deposit, 1_000)
        async with trio.open_nursery() as nursery:
            for caller in range(8):
                nursery.start_soon(shuffle, runtime, seed + caller, 20)
        assert await books(runtime) == (4_000, 0)
        for name in NAMES:
            statement = await runtime.actor(Account, name).query(Account.statement)
            assert statement.carried + sum(line.cents for line in statement.lines) == statement.balance >= 0


async def test_no_crash_splits_a_transfer(seed: int) -> None:
    """Wherever the log ends, once it is opened again no money is missing and none is there twice."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Account], strict=True) as runtime:
        for name in [*NAMES, "closed"]:
            await runtime.actor(Account, name).update(Account.deposit, 1_000)
        await runtime.actor(Account, "closed").update(Account.withdraw, 1_000)
        await runtime.actor(Account, "closed").update(Account.close)
        paid_in = len(list(journal.frames()))
        async with trio.open_nursery() as nursery:
            for caller in range(3):
                nursery.start_soon(shuffle, runtime, seed + caller, 10)
        frames = [frame for _, frame in journal.frames()]
    assert len(frames) > paid_in
    for length in range(paid_in, len(frames) + 1):
        async with Runtime(cut_off(frames[:length]), entities=[Account], strict=True) as runtime:
            assert await books(runtime) == (4_000, 0), f"after frame {length} of {len(frames)}"


def cut_off(frames: list[bytes]) -> MemoryJournal:
    """A journal that holds these frames and nothing else."""
    journal = MemoryJournal()
    journal.open([])
    with journal.write() as batch:
        for frame in frames:
            batch.append(frame)
    journal.close()
    return journal


async def test_an_account_that_was_ended_by_force_keeps_the_message() -> None:
    """Money sent to an account that an operator terminated is visible at both ends: under way, and parked."""
    async with Runtime(MemoryJournal(), entities=[Account], strict=True) as runtime:
        rent, food = runtime.actor(Account, "rent"), runtime.actor(Account, "food")
        for account in (rent, food):
            await account.update(Account.deposit, 1_000)
        await food.terminate()
        transfer = await rent.update(Account.transfer, "food", 300)
        assert await rent.query(Account.under_way) == {transfer: Transfer("food", 300)}
        assert [one.arguments for one in await food.parked()] == [(transfer, 300, "rent")]
