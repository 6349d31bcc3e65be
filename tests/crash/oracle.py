"""What has to be true of a journal, whatever became of the process that wrote it.

Judges a copy: what is found there is compared with what callers said, what is in memory with what the records
say, and what is repeated with what was answered.  Gives what is wrong, a line each; nothing is nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import attrs
import trio

from actorflow import ActorflowError, Limits, NotStarted, Runtime
from actorflow._core.actor import Actor
from actorflow._core.facts import Address, Instant
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore
from actorflow._core.spec import Spec
from actorflow._runtime.clock import wall
from actorflow._runtime.reading import Reading
from actorflow._runtime.rows import unpack_frame
from actorflow._runtime.shelf import Shelf
from actorflow._runtime.tables import HEADS, TABLES, address_of
from entities.account import Account
from entities.cart import Cart, Item
from persistence import Journal, LmdbJournal
from persistence._directory import DATA
from persistence.journal import JournalError

from . import on_disk
from .callers import NOT_ENOUGH, deliver
from .innocents import readmit_innocents
from .said import Message, Said
from .village import VILLAGE, Box, Evidence

__all__ = ["judge", "verdict"]

PATIENCE_S: Final = 20
LATER_US: Final = 20_000_000
"""The oracle comes at a time at which every short timer is due."""
AGAIN: Final = 2
"""So many acknowledged messages of each caller are repeated."""
DESCRIBED: Final = ("status", "life", "run", "seq", "born", "updated")
COMPLAINTS: Final = 20


def judge(journal: Path, said: Said, scratch: Path, limits: Limits) -> None:
    """Fail with everything that is wrong."""
    wrong = verdict(journal, said, scratch, limits)
    assert not wrong, f"{len(wrong)} things are wrong\n" + "\n".join(wrong[:COMPLAINTS])


def verdict(journal: Path, said: Said, scratch: Path, limits: Limits) -> list[str]:
    """Everything that is wrong with this journal, given what callers said."""
    path = scratch / "judged"
    shutil.rmtree(path, ignore_errors=True)
    if not (journal / DATA).exists():  # the process died before there was one
        return [f"{message} was acknowledged, and there is no journal" for message in said.done]
    on_disk.lies(on_disk.read(journal), path)
    wrong = _opened(path, said.copy(), limits)
    shutil.rmtree(path)
    return wrong


def _opened(path: Path, said: Said, limits: Limits) -> list[str]:
    kept = LmdbJournal(path, durability="process")
    wrong = kept.check()
    if wrong:
        return wrong
    specs = Runtime(kept, entities=VILLAGE, limits=limits)._host.specs
    try:
        for address, actors in _replayed(kept, specs).items():
            wrong += _same(address, "its newest and its oldest snapshot", *actors)
        found = trio.run(_lived, LmdbJournal(path, durability="process"), said, limits)
        wrong += found.wrong
        if wrong:
            return wrong
        for address, (oldest, _) in _replayed(kept, specs).items():
            wrong += _same(address, "memory and its records", found.images.pop(address, {}), oldest)
        wrong += [f"{address} is not in the journal" for address in found.images]
    except (ActorflowError, JournalError, trio.TooSlowError) as error:
        return [*wrong, f"{type(error).__name__}: {error}"]
    return wrong + kept.check()


def _same(address: Address, what: str, one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    if not one:
        return [f"{address} is in the journal and was not found"]
    if "ids" not in other:
        one = {name: value for name, value in one.items() if name != "ids"}
    return [f"{address}: {what} differ: {line}" for line in differences(other, one)]


# ---- from the records ------------------------------------------------------------------------------------


def _replayed(
    journal: Journal, specs: Mapping[str, Spec]
) -> dict[Address, tuple[dict[str, Any], dict[str, Any]]]:
    """Every actor twice: from the oldest place that is kept, from birth if it is, and from the newest."""
    journal.open(TABLES)
    try:
        shelf = Shelf(Reading(journal), specs, os.urandom, history_us=0, history_messages=0)
        tails: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
        for position, data in journal.frames():
            for path, record in unpack_frame(data, f"frame {position}"):
                if path[:1] != b"\0":
                    tails[path].append((position, record))
        paths = [path for path, _ in journal.scan(HEADS, b"\0", None, at_most=1 << 30)]
        return {
            address_of(path): _twice(shelf, specs, path, tails.get(path, []))
            for path in dict.fromkeys([*paths, *tails])
        }
    finally:
        journal.close()


def _twice(
    shelf: Shelf, specs: Mapping[str, Spec], path: bytes, tail: list[tuple[int, bytes]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    head = shelf.head(path)
    first = shelf.kept_from(path, head)
    places = [0] * (first == 0) + [one[0] for one in head.snapshots if one[0] >= first]
    assert places, (
        f"{path!r}: records are kept from {first} on, and no snapshot from which they could be replayed"
    )
    records = shelf.records(path, first, head.records)
    behind = [record for position, record in tail if position > head.position]
    entity, key = address_of(path)
    spec = specs[entity]
    pictures: list[dict[str, Any]] = []
    for place in (places[0], places[-1]):
        actor = Actor(spec, key, Ids.within(spec.limits.id_window, spec.limits.id_bytes))
        if place:
            restore(actor, shelf.snapshot_at(path, place))
        replay(actor, records[place - first :] + behind)
        pictures.append(image(actor))
        if place:  # a snapshot does not hold the ids
            del pictures[-1]["ids"]
    oldest, newest = pictures
    if "ids" in oldest and "ids" not in newest:
        newest["ids"] = oldest["ids"]
    return oldest, newest


# ---- alive -----------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """What was found when it was opened."""

    wrong: list[str]
    images: dict[Address, dict[str, Any]]


class _Clock:
    """Goes, until it is stopped: then nothing happens of itself any more."""

    def __init__(self) -> None:
        self._stopped: Instant | None = None

    def __call__(self) -> Instant:
        return wall() + LATER_US if self._stopped is None else self._stopped

    def stop(self) -> None:
        self._stopped = self()


async def _lived(journal: LmdbJournal, said: Said, limits: Limits) -> Found:
    clock = _Clock()
    with trio.fail_after(PATIENCE_S):
        async with Runtime(journal, entities=VILLAGE, limits=limits, clock=clock) as runtime:
            wrong = list(said.twice)
            blamed, deaths = await readmit_innocents(runtime), said.deaths()
            wrong += [f"{blamed} deaths are blamed on somebody, of {deaths}"] * (blamed > deaths)
            for message in said.repeatable():
                said.hear(["done", message.id, _plain(await deliver(runtime, message))])
            await _at_rest(runtime)
            wrong += await _contents(runtime, said)
            if wrong:
                return Found(wrong, {})
            wrong += await _repeated(runtime, said)
            await _at_rest(runtime)
            clock.stop()
            wrong += await _contents(runtime, said)
            wrong += await _new_work(runtime)
            wrong += await _lists(runtime)
            wrong += [f"set aside: {one}" for one in runtime.statistics().set_aside]
            host = runtime._host
            images = {
                (one.entity, one.key): image(host.population.resident((one.entity, one.key), clock()).actor)
                for entity in VILLAGE
                for one in await runtime.list(entity, at_most=1 << 30)
            }
    return Found(wrong, images)


async def _repeated(runtime: Runtime, said: Said) -> list[str]:
    """Some of what was acknowledged is sent again, under the same id, and answered as it was."""
    newest: dict[str, list[Message]] = defaultdict(list)
    for id_ in reversed(said.done):
        message = said.sent[id_]
        remembered = message.once and said.done[id_] != NOT_ENOUGH
        if remembered and len(newest[message.caller]) < AGAIN:
            newest[message.caller].append(message)
    wrong: list[str] = []
    for message in [one for several in newest.values() for one in several]:
        answer = _plain(await deliver(runtime, message))
        if answer != said.done[message.id]:
            wrong.append(f"{message} was answered {said.done[message.id]}, and now {answer}")
    return wrong


def _plain(answer: Any) -> Any:
    return json.loads(json.dumps(answer))


async def _at_rest(runtime: Runtime) -> None:
    """Have everything come to its end that does so by itself."""
    async with trio.open_nursery() as nursery:
        for one in await runtime.list(Box, status="running", at_most=1 << 30):
            nursery.start_soon(_settle, runtime, one.key)


async def _settle(runtime: Runtime, key: str) -> None:
    box = runtime.actor(Box, key)
    await box.update(Box.settle)
    await box.update(Box.rest)


async def _contents(runtime: Runtime, said: Said) -> list[str]:
    return [*await _boxes(runtime, said), *await _books(runtime, said), *await _carts(runtime, said)]


async def _boxes(runtime: Runtime, said: Said) -> list[str]:
    """All that was acknowledged, once and in order; nothing that was never sent."""
    lives = await _evidence(runtime, said)
    wrong: list[str] = []
    there: dict[tuple[str, str], set[int]] = defaultdict(set)
    for key, several in lives.items():
        for one in several:
            wrong += [f"Box {key!r}: {line}" for line in one.wrong]
            for caller, runs in one.taken.items():
                numbers = _numbers(runs)
                again = there[key, caller] & numbers
                wrong += [f"Box {key!r}: two lives took {again} of {caller}"] * bool(again)
                there[key, caller] |= numbers
    sent: dict[tuple[str, str], dict[int, Message]] = defaultdict(dict)
    for message in said.sent.values():
        if message.entity == "Box" and message.number:
            sent[message.key, message.caller][message.number] = message
    for (key, caller), numbers in there.items():
        wrong += [
            f"Box {key!r} has {number} of {caller}, who never sent it"
            for number in numbers - sent[key, caller].keys()
            if caller != "oracle"
        ]
    for (key, caller), messages in sent.items():
        numbers = there[key, caller]
        for number, message in messages.items():
            if message.what == "trip":
                wrong += [f"{message} has failed, and left a trace"] * (number in numbers)
            elif message.id in said.done:
                wrong += [f"{message} was acknowledged, and is lost"] * (number not in numbers)
            elif message.id in said.refused:
                wrong += [f"{message} was refused, and has happened"] * (number in numbers)
    wrong += _whole_batches(said, there)
    for told in said.told:
        newest = max(there[told.key, told.caller], default=0)
        wrong += [f"{told} was told, and the newest is {newest}"] * (newest < told.number)
    return wrong + _passed(lives)


async def _evidence(runtime: Runtime, said: Said) -> dict[str, list[Evidence]]:
    """What every box has to say, of each of its lives."""
    lives: dict[str, list[Evidence]] = defaultdict(list)
    for id_, answer in said.done.items():
        message = said.sent[id_]
        if message.what == "finish":
            lives[message.key].append(Evidence(**answer))
    for one in await runtime.list(Box, at_most=1 << 30):
        try:
            now = await runtime.actor(Box, one.key).query(Box.evidence)
        except NotStarted:
            continue
        if one.status == "running" or not lives[one.key]:
            lives[one.key].append(now)
        elif attrs.asdict(lives[one.key][-1])["taken"] != now.taken:
            lives[one.key].append(now)  # which is wrong: a life that ended otherwise than was answered
    return lives


def _numbers(runs: list[int]) -> set[int]:
    return {n for first, last in zip(runs[::2], runs[1::2], strict=True) for n in range(first, last + 1)}


def _whole_batches(said: Said, there: Mapping[tuple[str, str], set[int]]) -> Iterable[str]:
    for _, *ids in said.marked("batch"):
        messages = [said.sent[id_] for id_ in ids if id_ in said.sent]
        took = [one.number in there.get((one.key, one.caller), ()) for one in messages]
        if any(took) and not all(took):
            yield f"of a batch only a part has happened: {messages} {took}"


def _passed(lives: Mapping[str, list[Evidence]]) -> list[str]:
    """What boxes sent one another."""
    wrong: list[str] = []
    last = {key: several[-1] for key, several in lives.items() if several}
    for key, one in last.items():
        for to, count in one.sent.items():
            got = last[to].passed.get(key) if to in last else None
            if got != [1, count]:
                wrong.append(f"Box {key!r} has sent {count} to {to!r}, which has {got}")
        for sender, runs in one.passed.items():
            if sender not in last or last[sender].sent.get(key, 0) != runs[-1]:
                wrong.append(f"Box {key!r} has {runs} of {sender!r}, which did not send that")
    return wrong


async def _books(runtime: Runtime, said: Said) -> list[str]:
    """Every account holds what was paid in and sent, and all together what was paid in."""
    due: dict[str, int] = defaultdict(int)
    for id_, answer in said.done.items():
        message = said.sent[id_]
        if message.what == "deposit":
            due[message.key] += message.rest[0]
        elif message.what == "transfer" and answer == "taken":
            to, cents = message.rest
            due[message.key] -= cents
            due[to] += cents
    wrong: list[str] = []
    for one in await runtime.list(Account):
        account = runtime.actor(Account, one.key)
        cents = await account.query(Account.balance)
        if cents != due.pop(one.key, None):
            wrong.append(f"{one.key} has {cents} cents, which is not what was acknowledged")
        leaving = await account.query(Account.under_way)
        wrong += [f"{one.key} still waits for {leaving}"] * bool(leaving)
        wrong += [f"{one.key} has set aside {parked}" for parked in await account.parked()]
    return wrong + [f"{key} is gone, with {cents} cents" for key, cents in due.items()]


async def _carts(runtime: Runtime, said: Said) -> list[str]:
    """Every cart holds what its one caller put there, in this order."""
    due: dict[str, dict[str, Item]] = defaultdict(dict)
    for id_, message in said.sent.items():
        if message.entity == "Cart" and id_ in said.done:
            held, sku, quantity = due[message.key], message.rest[0], message.rest[1]
            before = held[sku].quantity if sku in held else 0
            if message.what == "add_item":
                held[sku] = Item(before + quantity, message.rest[2])
            elif quantity < before:
                held[sku] = Item(before - quantity, held[sku].cents)
            else:
                held.pop(sku, None)
    wrong: list[str] = []
    for one in await runtime.list(Cart):
        contents = await runtime.actor(Cart, one.key).query(Cart.contents)
        if contents != due.get(one.key):
            wrong.append(f"{one.key} holds {contents}, and by what was acknowledged {due.get(one.key)}")
    return wrong


async def _new_work(runtime: Runtime) -> list[str]:
    """Everything goes on."""
    wrong: list[str] = []
    for key in (*(one.key for one in await runtime.list(Box, status="running", at_most=3)), "new"):
        box = runtime.actor(Box, key)
        if await box.update(Box.post, "oracle", 1) != 1 or await box.query(Box.last, "oracle") != 1:
            wrong.append(f"Box {key!r} does not go on")
    return wrong


async def _lists(runtime: Runtime) -> list[str]:
    """Lists and descriptions say the same, by status and in all."""
    wrong: list[str] = []
    for entity in VILLAGE:
        everybody = await runtime.list(entity, at_most=1 << 30)
        by_status = [
            one
            for status in dict.fromkeys(one.status for one in everybody)
            for one in await runtime.list(entity, status=status, at_most=1 << 30)
        ]
        if sorted(by_status, key=lambda one: one.key) != everybody:
            wrong.append(f"{entity.__name__}: lists by status and the list of all differ")
        for one in everybody:
            said = await runtime.actor(entity, one.key).describe()
            pairs = [(name, getattr(one, name), getattr(said, name)) for name in DESCRIBED]
            wrong += [
                f"{one.key}: {name} is {it} and is listed as {listed}"
                for name, listed, it in pairs
                if it != listed
            ]
            wrong += [f"{one.key} has a fault: {said.fault}"] * bool(said.fault)
            wrong += [f"{one.key} is stuck: {said.stuck}"] * bool(said.stuck)
    return wrong
