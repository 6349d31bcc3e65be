"""Each source of nondeterminism that the design lists, and which net catches it: the lint, the guard, or neither.

A row says exactly what is caught, so a net that learns or forgets something changes this table.
"""

# Handlers that do what they must not are what is tested here.
# ruff: noqa: PGH004
# ruff: noqa
# mypy: ignore-errors
# pyright: basic, reportAttributeAccessIssue=false, reportMissingImports=false, reportArgumentType=false

from __future__ import annotations

import asyncio
import ctypes
import datetime
import gc
import glob
import locale
import logging
import math
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request
import uuid
import weakref
import zoneinfo
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from os import environ
from time import time as clock
from types import CoroutineType

import pytest
import trio
from attrs import Factory, define

from actorflow._determinism.guard import guarded
from actorflow._determinism.lint import lint
from actorflow.errors import NondeterminismError

LOCK = threading.Lock()
POOL = ThreadPoolExecutor(1)
RATES = {"apple": 150}
LOG = logging.getLogger(__name__)
SUMMER = datetime.datetime(2024, 7, 1, 12, tzinfo=UTC)
seen = {}
count = 0


@define
class Actor:
    tags: set = Factory(lambda: {1, 2})
    items: dict = Factory(lambda: {"b": 1, "a": 2})


class Noisy:
    def __del__(self):
        pass


def with_default(self, found=[]):
    found.append(1)


def write_global(self):
    global count
    count += 1


def swallow(self):
    try:
        raise ValueError
    except:
        pass


def import_here(self):
    import colorsys


def import_own(self):
    import actorflow_no_such_module


def take_lock(self):
    with LOCK:
        pass


def loop_over_parameter(self, tags: set[str] = frozenset({"a"})):
    return [tag for tag in tags]


def loop_over_field(self):
    for tag in self.tags:
        pass


def format_trace(self):
    try:
        raise ValueError
    except ValueError:
        return traceback.format_exc()


async def foreign_sleep(self):
    await asyncio.sleep(1)


async def foreign_trio(self):
    await trio.sleep(1)


async def foreign_block(self):
    async with trio.open_nursery():
        pass


BOTH, LINT, GUARD, NEITHER = {"lint", "guard"}, {"lint"}, {"guard"}, set()

# fmt: off
SOURCES = [
    # time
    ("time.time", lambda self: time.time(), BOTH),
    ("time under another name", lambda self: clock(), BOTH),
    ("time.monotonic passed on", lambda self: [f() for f in [time.monotonic]], BOTH),
    ("time.sleep", lambda self: time.sleep(0), BOTH),
    ("datetime.now", lambda self: datetime.datetime.now(UTC), BOTH),
    ("datetime.utcnow", lambda self: datetime.datetime.utcnow, LINT),
    ("datetime.today", lambda self: datetime.datetime.today(), BOTH),
    ("date.today", lambda self: datetime.date.today(), BOTH),
    # chance
    ("random.random", lambda self: random.random(), BOTH),
    ("random.choice", lambda self: random.choice([1, 2]), BOTH),
    ("Random without seed", lambda self: random.Random(), BOTH),
    ("SystemRandom", lambda self: random.SystemRandom().random(), BOTH),
    ("Random with seed", lambda self: random.Random(7).random(), NEITHER),
    ("secrets", lambda self: secrets.token_hex(), BOTH),
    ("uuid1", lambda self: uuid.uuid1(), BOTH),
    ("uuid4", lambda self: uuid.uuid4(), BOTH),
    ("uuid5", lambda self: uuid.uuid5(uuid.NAMESPACE_DNS, "a"), NEITHER),
    ("os.urandom", lambda self: os.urandom(1), BOTH),
    # files, sockets, processes, databases, imports
    ("open", lambda self: open(__file__), BOTH),
    ("os.listdir", lambda self: os.listdir("/"), BOTH),
    ("pathlib", lambda self: pathlib.Path("/").exists(), BOTH),
    ("tempfile", lambda self: tempfile.mkdtemp(), BOTH),
    ("shutil", lambda self: shutil.copyfile("/no/such", "/no/other"), BOTH),
    ("glob", lambda self: glob.glob("*"), BOTH),
    ("subprocess", lambda self: subprocess.run(["true"]), BOTH),
    ("os.system", lambda self: os.system("true"), BOTH),
    ("socket", lambda self: socket.socket(), BOTH),
    ("dns", lambda self: socket.gethostbyname("localhost"), BOTH),
    ("sqlite3", lambda self: sqlite3.connect(":memory:"), BOTH),
    ("urllib", lambda self: urllib.request.urlopen("file:///no/such"), BOTH),
    ("ctypes", lambda self: ctypes.CDLL(None), BOTH),
    ("import of the library's", import_here, LINT),
    ("import of another's", import_own, BOTH),
    # what has no audit event
    ("os.stat", lambda self: os.stat("/"), BOTH),
    ("os.path.exists", lambda self: os.path.exists("/"), BOTH),
    ("os.environ", lambda self: os.environ.get("HOME"), BOTH),
    ("environ by name", lambda self: "HOME" in environ, BOTH),
    ("os.getenv", lambda self: os.getenv("HOME"), BOTH),
    ("os.getpid", lambda self: os.getpid(), BOTH),
    ("os.getcwd", lambda self: os.getcwd(), BOTH),
    ("os.cpu_count", lambda self: os.cpu_count(), BOTH),
    ("sys.argv", lambda self: sys.argv, LINT),
    ("stdin", lambda self: sys.stdin, LINT),
    ("print", lambda self: print(end=""), BOTH),
    ("lock", take_lock, BOTH),
    ("lock.acquire", lambda self: LOCK.acquire(blocking=False), BOTH),
    ("signal", lambda self: signal.getsignal(signal.SIGTERM), BOTH),
    ("logging", lambda self: LOG.debug("never shown"), BOTH),
    # threads
    ("Thread", lambda self: threading.Thread(target=int).start(), BOTH),
    ("executor", lambda self: POOL.submit(int), BOTH),
    # foreign awaits; the step itself refuses what they yield
    ("asyncio.sleep", foreign_sleep, BOTH),
    ("trio.sleep", foreign_trio, BOTH),
    ("a nursery", foreign_block, BOTH),
    # order of sets, hash and address
    ("for over a field", loop_over_field, LINT),
    ("list over a parameter", loop_over_parameter, LINT),
    ("list of a set", lambda self: list({"a", "b"}), LINT),
    ("join of a set", lambda self: ",".join({"a", "b"}), LINT),
    ("pop of a set", lambda self: {"a", "b"}.pop(), LINT),
    ("hash", lambda self: hash("a"), BOTH),
    ("hash called by C", lambda self: list(map(hash, ["a"])), LINT),
    ("id", lambda self: id(self), BOTH),
    ("id as a key", lambda self: sorted([Noisy(), Noisy()], key=id), BOTH),
    ("an address in a repr", lambda self: repr(object()), NEITHER),
    # left to the digest and to replay
    ("order of a dict", lambda self: list(self.items), NEITHER),
    ("floats", lambda self: math.sin(0.1) + sum([0.1] * 10), NEITHER),
    # collection
    ("gc", lambda self: gc.collect(), BOTH),
    ("weakref", lambda self: weakref.ref(Noisy), LINT),
    ("__del__", lambda self: Noisy(), NEITHER),
    # place and language
    ("localtime", lambda self: time.localtime(0), BOTH),
    ("strftime", lambda self: time.strftime("%Y"), BOTH),
    ("strftime of a date", lambda self: SUMMER.strftime("%c"), LINT),
    ("strftime with numbers", lambda self: SUMMER.strftime("%Y-%m-%d"), NEITHER),
    ("strptime", lambda self: datetime.datetime.strptime("2024", "%Y"), NEITHER),
    ("astimezone without zone", lambda self: SUMMER.astimezone(), LINT),
    ("astimezone with an offset", lambda self: SUMMER.astimezone(UTC), NEITHER),
    ("fromtimestamp without zone", lambda self: datetime.datetime.fromtimestamp(0), LINT),
    ("fromtimestamp with zone", lambda self: datetime.datetime.fromtimestamp(0, UTC), NEITHER),
    ("locale", lambda self: locale.getlocale(), BOTH),
    ("zones", lambda self: zoneinfo.ZoneInfo, NEITHER),
    ("a zone", lambda self: zoneinfo.available_timezones(), BOTH),
    # errors
    ("traceback", format_trace, BOTH),
    ("except everything", swallow, LINT),
    # what lives outside the actor
    ("global", write_global, LINT),
    ("module's dict changed", lambda self: seen.update(a=1), LINT),
    ("module's dict read", lambda self: seen.get("a"), LINT),
    ("module's constants read", lambda self: RATES["apple"], NEITHER),
    ("class attribute", lambda self: setattr(Actor, "__doc__", "x"), NEITHER),
    ("mutable default", with_default, LINT),
    # good manners
    ("arithmetic of times", lambda self: SUMMER + timedelta(days=1), NEITHER),
    ("sorted set", lambda self: sorted(self.tags), NEITHER),
]
# fmt: on


def found_by_lint(handler) -> bool:
    """Lint a handler; the lambdas of the table stand for handlers of one line."""
    return bool(lint([handler], "Actor", {"tags"}))


def found_by_guard(handler) -> bool:
    """Run a handler as the step would: a coroutine up to its first suspension."""
    try:
        with guarded("Actor, handler"):
            running = handler(Actor())
            if isinstance(running, CoroutineType):
                try:
                    running.send(None)
                finally:
                    running.close()
    except NondeterminismError:
        return True
    return False


@pytest.mark.parametrize(("handler", "nets"), [pytest.param(*row[1:], id=row[0]) for row in SOURCES])
def test_each_source_is_caught_by_the_nets_that_promise_it(handler, nets):
    """What the table says a net catches, it catches; what it says passes, passes."""
    caught = {"lint"} if found_by_lint(handler) else set()
    caught |= {"guard"} if found_by_guard(handler) else set()
    assert caught == nets
