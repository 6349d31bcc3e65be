"""Do several processes tell the same as one, whatever they are started under and whatever ends them?"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from actorflow._cli import crew
from actorflow._cli.main import main
from actorflow._cli.progress import progress
from tests.verify.shop import FIRST, PAYS, Shop, changed


def test_any_number_of_processes_tells_the_same(shop: Shop) -> None:
    """The report does not depend on who verified what, nor on which of them was quicker."""
    shop.make(carts=450, orders=2)
    shop.write(changed(("self.give_up().arm", "count % 5 and self.give_up().arm")))
    one, two = (shop.verify(str(shop.backup), "--jobs", jobs) for jobs in ("1", "2"))
    assert one.code == two.code == 1
    assert one.out == two.out
    assert "452 actors, all verified" in one.out


def test_an_actor_that_ends_the_process(shop: Shop) -> None:
    """A handler under which the process dies is reported for its actor, and everybody else is verified."""
    shop.make(carts=9)
    fatal = "        if count == 4:\n            os.kill(os.getpid(), 9)\n"
    shop.write("import os\n" + changed(("        self.items[sku] =", f"{fatal}        self.items[sku] =")))
    done = shop.verify(str(shop.backup), "--jobs", "2")
    assert done.code == 1
    assert "12 actors, all verified" in done.out
    assert "Cart 'cart-004' ended the process that replayed it: signal 9" in done.out
    assert "1 finding, 1 cause" in done.out


ENDLESS = {
    "in Python": "while True:\n                pass",
    "in C": "sum(range(10**15))",
    "in a call that blocks": "time.sleep(10_000)",
    "where everything is caught": "while True:\n                try:\n                    time.sleep(1)\n"
    "                except BaseException:\n                    pass",
}


@pytest.mark.parametrize("how", ENDLESS)
def test_an_actor_that_never_comes_to_an_end(shop: Shop, how: str) -> None:
    """It is reported with the line where it is, whatever it does there; everybody else is verified."""
    shop.make(carts=9)
    endless = f"        if count == 4:\n            {ENDLESS[how]}\n        self.items[sku] ="
    shop.write("import time\n" + changed(("        self.items[sku] =", endless)))
    done = shop.verify(str(shop.backup), "--jobs", "2", "--timeout", "3")
    assert done.code == 1, done.err
    assert "12 actors, all verified" in done.out
    assert "1 actor of Cart: it does not come to an end: a runtime would stand still with it" in done.out
    assert "Cart 'cart-004' was not made again within 3 s: it was at shop.py:" in done.out
    assert ", in add\n    hint: a handler must come to its end" in done.out
    assert "1 finding, 1 cause" in done.out


def test_who_comes_to_an_end_is_given_the_time(shop: Shop) -> None:
    """The control: what takes long, each less than it may and all of them more, is no finding."""
    shop.make(carts=9)
    slow = "        time.sleep(0.2)\n        self.items[sku] ="
    shop.write("import time\n" + changed(("        self.items[sku] =", slow)))
    done = shop.verify(str(shop.backup), "--jobs", "1", "--timeout", "3")
    assert (done.code, done.out.splitlines()[-1]) == (0, "nothing would go wrong")


def test_where_nobody_comes_to_an_end_the_command_does(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After so many it cannot be found out, and says of whom."""
    shop.make(carts=9, orders=0)
    endless = "        time.sleep(10_000)  # actorflow: ok\n        self.items[sku] ="
    shop.write("import time\n" + changed(("        self.items[sku] =", endless)))
    monkeypatch.setattr(crew, "ENDLESS_MAX", 2)
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        code = main(["verify", str(shop.backup), "--entities", "shop", "--timeout", "0.5", "--jobs", "1"])
    finally:
        sys.modules.pop("shop", None)
    assert code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "2 actors were not made again within 0.5 s, and still others; the last is Cart 'cart-" in said.err


def test_a_process_that_cannot_begin(shop: Shop) -> None:
    """Where the application ends a process while it is imported, no actor is to blame: it is no finding."""
    shop.make(carts=1, orders=0)
    shop.write(f"import os\nif os.environ['PYTHONHASHSEED'] == '3':\n    os._exit(5)\n{FIRST}")
    done = shop.verify(str(shop.backup), "--under", "hash-seed", under={"PYTHONHASHSEED": "0"})
    assert (done.code, done.out) == (2, "")
    assert "a process that was to verify ended with 5 before it began" in done.err


SLOW = changed(
    ("        self.items[sku] =", "        time.sleep(0.02)\n        self.items[sku] ="),
    ("import trio\n", "import time\nimport trio\n"),
)


def test_who_interrupts_is_left_with_nothing(shop: Shop) -> None:
    """Ctrl-C ends the command and its processes, without a traceback and without an answer."""
    shop.make(carts=60)
    shop.write(SLOW + "\nimport os\nos.write(2, b'ready\\n')\n")
    command = [sys.executable, "-W", "ignore", "-m", "actorflow", "verify", str(shop.backup)]
    process = subprocess.Popen(
        [*command, "--entities", "shop", "--jobs", "2"],
        cwd=shop.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=shop.environment(),
    )
    assert process.stderr is not None
    for _ in range(3):  # the command itself, and its two
        assert process.stderr.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "actorflow verify: interrupted\n"
    # Both would still hold this end of the pipe open, and communicate() would have waited for them.


# ---- beside a process that writes --------------------------------------------------------------------

LIVE = """
import sys
import trio
from actorflow import Limits, Runtime
from persistence import LmdbJournal
import shop

async def main(path):
    journal = LmdbJournal(path, durability="process")
    limits = Limits(log_bytes=20_000, continue_records=20, history_messages=30, resident_actors=10)
    async with Runtime(journal, entities=[shop.Cart, shop.Order], limits=limits) as runtime:
        for number in range(100_000):
            cart = runtime.actor(shop.Cart, f"cart-{number * 7 % 40:03}")
            await cart.once(f"id-{number}").signal(shop.Cart.add, "apple", 1)
            if number == 500:
                print("ready", flush=True)
                await trio.to_thread.run_sync(sys.stdin.readline)
                trio.lowlevel.spawn_system_task(stop, runtime)
            if over:
                break
        print(runtime.statistics().checkpoints, len(runtime.statistics().set_aside), flush=True)

over = []

async def stop(runtime):
    over.append(await trio.to_thread.run_sync(sys.stdin.readline))

trio.run(main, sys.argv[1])
"""


def _program(shop: Shop, text: str) -> subprocess.Popen[str]:
    """A process that has the shop's journal open."""
    return subprocess.Popen(
        [sys.executable, "-c", text, str(shop.closed)],
        cwd=shop.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=shop.environment(),
    )


def test_beside_the_process_that_writes(shop: Shop) -> None:
    """A journal in full use is verified again and again: nothing is found, and the process goes on."""
    shop.write(FIRST)
    with _program(shop, LIVE) as live:
        assert live.stdin is not None
        assert live.stdout is not None
        assert live.stdout.readline() == "ready\n"
        live.stdin.write("go\n")
        live.stdin.flush()
        for argv in ([], ["--history"], ["--under", "collector"]):
            done = shop.verify(str(shop.closed), *argv)
            assert done.code == 0, done.out + done.err
            assert done.out.startswith("40 actors, all verified")
        live.stdin.write("stop\n")
        live.stdin.flush()
        checkpoints, set_aside = map(int, live.stdout.readline().split())
    assert live.returncode == 0
    assert checkpoints > 3, "the tables were written meanwhile, or this would have been easy"
    assert set_aside == 0


NEW = """
import sys
import trio
from actorflow import Runtime
from persistence import LmdbJournal
import shop

async def main(path):
    async with Runtime(LmdbJournal(path), entities=[shop.Cart, shop.Order]) as runtime:
        for number in range(30):
            await runtime.actor(shop.Cart, f"cart-{number:03}").signal(shop.Cart.add, "apple", 1)
        print("ready", flush=True)
        await trio.to_thread.run_sync(sys.stdin.readline)

trio.run(main, sys.argv[1])
"""


def test_what_only_log_files_have_is_verified(shop: Shop) -> None:
    """Actors of which no table knows yet are found beside the process that writes, and when it was killed."""
    shop.write(FIRST)
    with _program(shop, NEW) as live:
        assert live.stdout is not None
        assert live.stdout.readline() == "ready\n"
        assert any(shop.closed.glob("log-*"))
        beside = shop.verify(str(shop.closed))
        live.kill()
    left = shop.verify(str(shop.closed))
    for path in shop.closed.glob("log-*"):
        path.unlink()
    without = shop.verify(str(shop.closed))
    assert beside.out.startswith("30 actors, all verified, 30 messages replayed\n"), beside
    assert left.out == beside.out
    assert without.out != beside.out, "the control: it was they that had it"


# ---- under other settings ----------------------------------------------------------------------------

DEPENDS = """
import weakref

from actorflow import entity, now, signal


class Ring:
    pass


def collected() -> bool:
    ring = Ring()
    ring.ring = ring
    left = weakref.ref(ring)
    del ring
    kept = [[] for _ in range(20_000)]  # the collector comes by, if it is on
    return bool(kept) and left() is None


@entity
class Cart:
    said: str = ""

    @signal
    def add(self, sku: str, count: int) -> None:
        self.said = str({"a", "b", "c", "d", "e", "f", sku})


@entity
class Clock:
    said: str = ""

    @signal
    def look(self) -> None:
        self.said = str(now().astimezone())


@entity
class Heap:
    said: str = ""

    @signal
    def look(self) -> None:
        self.said = str(collected())


@entity
class Sound:
    said: str = ""

    @signal
    def look(self) -> None:
        self.said = str(now())
"""

LOOK = """
import sys
import trio
from actorflow import Runtime
from persistence import LmdbJournal
import shop

async def main(path, backup):
    journal = LmdbJournal(path, durability="process")
    async with Runtime(journal, entities=[shop.Cart, shop.Clock, shop.Heap, shop.Sound]) as runtime:
        await runtime.actor(shop.Cart, "one").signal(shop.Cart.add, "apple", 1)
        for entity in (shop.Clock, shop.Heap, shop.Sound):
            await runtime.actor(entity, "one").signal(entity.look)
        await trio.to_thread.run_sync(journal.backup, backup)

trio.run(main, sys.argv[1], sys.argv[2])
"""


def test_code_that_comes_out_otherwise_elsewhere(shop: Shop) -> None:
    """What depends on the process it runs in is found under other settings, and the settings are named.

    The controls are in it: as things are nothing is found, and nothing is of an actor that depends on none.
    """
    variables = {"PYTHONHASHSEED": "0", "TZ": "UTC0"}
    shop.write(DEPENDS)
    shop.run("-W", "ignore", "-c", LOOK, str(shop.closed), str(shop.backup), under=variables)
    assert shop.verify(under=variables).code == 0
    done = shop.verify(
        str(shop.backup), "--under", "hash-seed,time-zone,collector", "--json", under=variables
    )
    assert done.code == 1, done.out + done.err
    found = {
        one["entity"]: (one["consequence"], one["under"])
        for cause in json.loads(done.out)["causes"]
        for one in cause["findings"]
    }
    assert found == {
        "Cart": ("differs", [f"PYTHONHASHSEED={seed}" for seed in (1, 2, 3)]),
        "Clock": ("differs", ["TZ=EAST-14", "TZ=WEST11"]),
        "Heap": ("differs", ["collector off"]),
    }


def test_an_effect_that_comes_out_otherwise_elsewhere(shop: Shop) -> None:
    """A divergence that only one setting shows says which, and thorough tries them all."""
    pays = "        self.receipt = await charge(str(now().astimezone().utcoffset()), cents)\n"
    text = changed((PAYS, pays), ("entity, query", "entity, now, query"))
    shop.make(text=text, under={"TZ": "UTC0"})
    assert shop.verify(under={"TZ": "UTC0"}).code == 0
    done = shop.verify(str(shop.backup), "--thorough", under={"TZ": "UTC0"})
    assert done.code == 1, done.out + done.err
    assert "only under TZ=EAST-14" in done.out
    assert "each also under PYTHONHASHSEED=1, PYTHONHASHSEED=2" in done.out


# ---- progress ----------------------------------------------------------------------------------------


class Terminal:
    """Standard error, as a person has it."""

    def __init__(self, *, looked_at: bool) -> None:
        self.text = ""
        self.looked_at = looked_at

    def isatty(self) -> bool:
        return self.looked_at

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Terminal]:
    """Put a terminal, or a log, in the place of standard error."""

    def put(looked_at: bool) -> Terminal:
        made = Terminal(looked_at=looked_at)
        monkeypatch.setattr(sys, "stderr", made)
        return made

    return put


def test_a_bar_where_somebody_looks_on(
    terminal: Callable[[bool], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal a bar says how many are done."""
    monkeypatch.setenv("TERM", "xterm")
    shown = terminal(True)
    with progress("verifying", 10) as advance:
        for _ in range(10):
            advance(1)
    assert "10/10" in shown.text


@pytest.mark.parametrize("looked_at", [True, False])
def test_a_line_now_and_then(
    terminal: Callable[[bool], Terminal], monkeypatch: pytest.MonkeyPatch, looked_at: bool
) -> None:
    """In a log, and without rich, there is a line every ten seconds and not more."""
    clock = iter(range(1_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    shown = terminal(looked_at)
    with progress("verifying", 25) as advance:
        for _ in range(25):
            advance(1)
    assert shown.text == "verifying: 10 of 25\nverifying: 20 of 25\n"
