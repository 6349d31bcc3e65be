"""Does ``actorflow verify`` tell before a deploy what would go wrong after it?  Real journals, other versions."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from actorflow._command.main import main
from persistence import LmdbJournal
from tests.verify.shop import FIRST, Shop, changed

NOTE = """
    @signal
    def note(self, text: str) -> None:
        self.notes.append(text)
"""
PAYS = '        self.receipt = await charge("order", cents)\n'


def _image(path: Path) -> dict[str, tuple[bytes, int]]:
    return {entry.name: (entry.read_bytes(), entry.stat().st_mtime_ns) for entry in path.iterdir()}


# ---- what is found -----------------------------------------------------------------------------------


def test_the_code_that_made_a_journal_fits_it(shop: Shop) -> None:
    """Every actor is replayed and nothing is found; of the journals no byte and no time has changed."""
    shop.make()
    before = _image(shop.backup), _image(shop.closed)
    done = shop.verify()
    assert (done.code, done.out) == (
        0,
        "6 actors, all verified, 18 messages replayed\nnothing would go wrong\n",
    )
    assert shop.verify(str(shop.closed)).code == 0
    assert _image(shop.backup) == before[0]
    after = _image(shop.closed)
    touched = {name for name in after if after[name] != before[1].get(name)}
    assert touched <= {"journal.mdb-lock"}, "that is LMDB's, and made anew by whoever opens it"


COMPATIBLE = {
    "a field more": (("    looks: int = 0", "    looks: int = 0\n    more: str = ''"),),
    "a bug mended": (("self.items.get(sku, 0) + count", "self.items.get(sku, 1) + count"),),
    "a handler renamed": (
        ("    @signal\n    def note(", "    @signal(aliases=['note'])\n    def remark("),
        ("    @timer\n    def give_up(", "    @timer(aliases=['give_up'])\n    def forget("),
        ("self.give_up()", "self.forget()"),
    ),
    "an activity renamed": (("@activity\nasync def charge", "@activity(aliases=['charge'])\nasync def bill"), ("await charge", "await bill")),
    "asks for something else behind a patch": (
        ("signal, sleep", "patched, signal, sleep"),
        ("        await sleep(", "        if patched('rest'):\n            await sleep(timedelta(days=1))\n        await sleep("),
    ),
    "another state, with an upcast": (
        ("signal, sleep", "upcast, signal, sleep"),
        ("@entity\nclass Cart:", "@entity(version=2)\nclass Cart:"),
        ("    looks: int = 0\n", "    views: str\n\n    @upcast(1)\n    @staticmethod\n    def up(stored):\n        views = str(stored.pop('looks'))\n        return {**stored, 'views': views}\n"),
        ("dict[str, int] = field(factory=dict)", "dict[str, int]"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", COMPATIBLE)
def test_what_the_docs_allow_passes(shop: Shop, change: str) -> None:
    """A change that needs nothing, or that has what it needs, is let through."""
    shop.make(carts=2, orders=2)
    shop.write(changed(*COMPATIBLE[change]))
    store = shop.closed if "upcast" in change else shop.backup
    done = shop.verify(str(store))
    assert done.code == 0, done.out + done.err


WRONG = {
    "asks for something else": (
        ((PAYS, "        await sleep(timedelta(days=1))\n"),),
        [
            "1. 3 actors of Order: it would be set aside",
            "Order 'order-000', message 2, handler Order.pay: effect 0 differs from the record",
            "recorded: Schedule(name='charge', body=('order', 100), options=None)",
            "produced: Sleep(due=",
            "so do 'order-001', 'order-002'",
            "goes behind patched('id')",
            "3 findings, 1 cause",
        ],
    ),
    "an alias forgotten": (
        (("async def charge", "async def bill"), ("await charge", "await bill")),
        ["if it was renamed, declare it with aliases=['charge']"],
    ),
    "a parameter more": (
        (("cents: int) -> str", "cents: int, fast: bool) -> str"), ('"order", cents', '"order", cents, True')),
        ["what Order 'order-000' has asked of charge", "give the new parameter a default"],
    ),
    "a handler removed that a message waits for": (
        ((NOTE, ""),),
        ["what waits would be parked", "entity 'Order' has no handler 'note'; it has: pay", "aliases=['note']"],
    ),
    "a parameter of a message that waits": (
        (("text: str) -> None", "text: int) -> None"),),
        ["what waits would be parked", "3 findings, 1 cause"],
    ),
    "a handler removed that is suspended": (
        (("    @signal\n    async def pay", "    async def pay"),),
        ["the handler differs from the record", "one that is gone has to come back"],
    ),
    "smaller limits": (
        (("@entity\nclass Order", "@entity(limits=Limits(run_records=2))\nclass Order"),),
        ["it is over a bound", "Order 'order-000': 3 records are in its run (run_records=2)", "raise Limits.run_records"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", WRONG)
def test_what_would_go_wrong_is_told(shop: Shop, change: str) -> None:
    """A deploy that would set actors aside, or park what waits, ends with 1, the cause, and what to do."""
    shop.make()
    pairs, said = WRONG[change]
    shop.write(changed(*pairs))
    done = shop.verify()
    assert done.code == 1, done.out + done.err
    assert [line for line in said if line not in done.out] == [], done.out


def test_what_is_stored_and_no_longer_read(shop: Shop) -> None:
    """A state that the new fields do not fit, and a timer whose handler is gone, are found in a closed journal."""
    shop.make()
    shop.write(
        changed(
            ("    looks: int = 0\n", ""),
            ("    cents: int = 0", "    cents: str = ''"),
            ("self.cents = cents", "pass"),
        )
    )
    done = shop.verify(str(shop.closed))
    assert done.code == 1
    assert "3 actors of Cart: it would be set aside" in done.out
    assert "looks" in done.out
    shop.write(changed(("    @timer\n", ""), ("        self.give_up().arm(after=timedelta(days=30))\n", "")))
    done = shop.verify(str(shop.closed))
    assert done.code == 1
    assert "entity 'Cart' has no handler 'give_up'" in done.out


def test_limits_of_the_runtime(shop: Shop) -> None:
    """Limits that the application gives its runtime are named, and count."""
    shop.make()
    shop.write(changed(("@activity", "SMALL = Limits(run_records=2)\n\n\n@activity")))
    assert shop.verify().code == 0
    done = shop.verify(str(shop.backup), "--limits", "shop:SMALL")
    assert done.code == 1
    assert "run_records=2" in done.out


def test_an_entity_that_nobody_names(shop: Shop) -> None:
    """Actors of an entity that was left out are a warning, or an error if that is what one wants."""
    shop.make()
    done = shop.verify(entities="shop:Cart")
    assert done.code == 0
    assert done.out.startswith("3 actors, all verified")
    assert "warning: 3 actors of Order, which was not named, would sleep" in done.out
    assert shop.verify(str(shop.backup), "--unregistered", "error", entities="shop:Cart").code == 1
    assert shop.verify(str(shop.backup), "--unregistered", "error", entities="shop:Cart,shop:Order").code == 0


def test_programs_read_it_too(shop: Shop) -> None:
    """With --json the report is data, and whatever the application prints is not in it."""
    shop.make()
    shop.write(changed((PAYS, "        await sleep(timedelta(days=1))\n")) + "\nprint('imported')\n")
    told = json.loads(shop.verify(str(shop.backup), "--json").out)
    assert (told["ok"], told["actors"], told["verified"]) == (False, 6, 6)
    (cause,) = told["causes"]
    assert (cause["count"], [one["key"] for one in cause["findings"]]) == (
        3,
        ["order-000", "order-001", "order-002"],
    )
    assert cause["findings"][0]["recorded"].startswith("Schedule(")


# ---- which actors ------------------------------------------------------------------------------------


def test_any_number_of_processes_tells_the_same(shop: Shop) -> None:
    """The report does not depend on who verified what, nor on which of them was quicker."""
    shop.make(carts=450, orders=2)
    shop.write(changed(("after=timedelta(days=30)", "after=timedelta(days=30) if count % 7 else timedelta(0)"), ("self.give_up().arm", "count % 5 and self.give_up().arm")))  # fmt: skip
    one, two = (shop.verify(str(shop.backup), "--jobs", jobs) for jobs in ("1", "2"))
    assert one.code == two.code == 1
    assert one.out == two.out
    assert "452 actors, all verified" in one.out


def test_a_sample_can_be_repeated(shop: Shop) -> None:
    """A sample prints its seed; with that seed the same actors are taken, and with others others."""
    shop.make(carts=40, orders=0)
    shop.write(changed(("        self.give_up().arm(after=timedelta(days=30))\n", "")))

    def sample(seed: str) -> tuple[list[str], str]:
        argv = (str(shop.backup), "--sample", "5", "--json", *(["--seed", seed] if seed else []))
        told = json.loads(shop.verify(*argv).out)
        assert told["verified"] == 5
        return [one["key"] for cause in told["causes"] for one in cause["findings"]], str(told["seed"])

    keys, seed = sample("")
    assert sample(seed) == (keys, seed)
    assert len({tuple(sample(str(number))[0]) for number in range(3)}) > 1
    assert "--sample 5 --seed 7" in shop.verify(str(shop.backup), "--sample", "5", "--seed", "7").out


def test_one_actor(shop: Shop) -> None:
    """Who looks for the reason of one finding verifies one actor."""
    shop.make()
    shop.write(changed((PAYS, "        await sleep(timedelta(days=1))\n")))
    done = shop.verify(str(shop.backup), "--actor", "Order/order-001", "--actor", "Cart/cart-000")
    assert done.code == 1
    assert done.out.startswith("6 actors, 2 verified")
    assert "Order 'order-001', message 2" in done.out


# ---- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "entities", "said"),
    [
        (["nowhere"], "shop", "there is no journal"),
        (["."], "shop", "is no journal: it holds"),
        ([], "shop.nothing", "there is no module shop.nothing"),
        ([], "empty", "the module empty has no entities"),
        ([], "broken", "broken cannot be imported: ZeroDivisionError"),
        ([], "shop:Nobody", "the module shop has no Nobody"),
        ([], "shop:charge", "shop:charge is no entity"),
        ([], "shop,again", "two classes are the entity 'Cart'"),
        (["--limits", "shop:Cart"], "shop", "shop:Cart is no Limits"),
        (["--under", "moon"], "shop", "'moon' is nothing to verify under; there are: hash-seed"),
        (["--actor", "cart-000"], "shop", "'cart-000' names no actor"),
        (["--actor", "Bill/b"], "shop", "there is no entity 'Bill'"),
        (["--actor", "Cart/nobody"], "shop", "there is no such actor"),
        (["--actor", "Cart/cart-000", "--sample", "3"], "shop", "exclude each other"),
        (["--jobs", "0"], "shop", "1 is the least"),
    ],
)
def test_a_mistake_is_told_from_a_finding(
    shop: Shop,
    argv: list[str],
    entities: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be found out ends with 2 and says why; no traceback, and nothing is made."""
    shop.make(carts=1, orders=1)
    shop.write("", "empty")
    shop.write("1 / 0", "broken")
    shop.write(FIRST, "again")
    names = {entry.name for entry in shop.folder.iterdir()}
    store = [] if argv and not argv[0].startswith("-") else [str(shop.backup)]
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        code = main(["verify", *store, *argv, "--entities", entities])
    except SystemExit as ended:  # as argparse ends it
        assert ended.code == 2
    else:
        assert code == 2
    finally:
        for name in ("shop", "empty", "broken", "again"):
            sys.modules.pop(name, None)
    told = capsys.readouterr()
    assert (told.out, said in told.err) == ("", True), told.err
    assert {entry.name for entry in shop.folder.iterdir()} == names


def test_what_there_is_to_type(shop: Shop) -> None:
    """The command says what it takes, and which release it is."""
    assert "verify" in shop.run("-m", "actorflow", "--help").out
    assert "--entities" in shop.run("-m", "actorflow", "verify", "--help").out
    assert shop.run("-m", "actorflow", "--version").out.startswith("actorflow 0.")
    assert shop.run("-m", "actorflow", check=False).code == 2


# ---- what goes wrong meanwhile -----------------------------------------------------------------------


def _damage(path: Path, table: str, beginning: bytes) -> None:
    journal = LmdbJournal(path)
    journal.open([table])
    (key, data) = journal.scan(table, beginning, None, at_most=1)[0]
    with journal.write() as batch:
        batch.put(table, key, data[:-1] + bytes([data[-1] ^ 1]))
    journal.close()


@pytest.mark.parametrize("table", ["heads", "snapshots"])
def test_a_damaged_row_harms_one_actor(shop: Shop, table: str) -> None:
    """Who has a damaged head or snapshot is reported, and the others are verified all the same."""
    shop.make()
    _damage(shop.closed, table, b"Cart\0cart-001\0")
    done = shop.verify(str(shop.closed))
    assert done.code == 1
    assert "6 actors, all verified" in done.out
    assert "Cart 'cart-001'" in done.out
    assert "1 finding, 1 cause" in done.out


def test_a_damaged_frame_is_no_actors(shop: Shop) -> None:
    """Where a runtime would not open the journal at all, that is what is said."""
    shop.make()
    journal = LmdbJournal(shop.backup)
    journal.open([])
    with journal.write() as batch:
        batch.append(b"no frame")
    journal.close()
    done = shop.verify()
    assert done.code == 1
    assert "a runtime would not open this journal" in done.out
    assert "of the log" in done.out


def test_an_actor_that_ends_the_process(shop: Shop) -> None:
    """A handler under which the process dies is reported for its actor, and everybody else is verified."""
    shop.make(carts=9)
    lethal = "import os\n" + changed(
        ("        self.items[sku] =", "        if count == 4:\n            os.kill(os.getpid(), 9)\n        self.items[sku] =")
    )  # fmt: skip
    shop.write(lethal)
    done = shop.verify(str(shop.backup), "--jobs", "2")
    assert done.code == 1
    assert "12 actors, all verified" in done.out
    assert "Cart 'cart-004' ended the process that replayed it: signal 9" in done.out
    assert "1 finding, 1 cause" in done.out


SLOW = changed(
    ("        self.items[sku] =", "        time.sleep(0.02)\n        self.items[sku] ="),
    ("import trio\n", "import time\nimport trio\n"),
)


def test_who_interrupts_is_left_with_nothing(shop: Shop) -> None:
    """Ctrl-C ends the command and its processes, without a traceback and without an answer."""
    shop.make(carts=60)
    shop.write(SLOW + "\nimport sys\nprint('ready', file=sys.stderr, flush=True)\n")
    command = [sys.executable, "-W", "ignore", "-m", "actorflow", "verify", str(shop.backup), "--entities", "shop"]  # fmt: skip
    process = subprocess.Popen(
        [*command, "--jobs", "2"],
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
    process.send_signal(signal.SIGINT)
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


def test_beside_the_process_that_writes(shop: Shop) -> None:
    """A journal in full use is verified again and again: nothing is found, and the process goes on."""
    shop.write(FIRST)
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, str(shop.closed)],
        cwd=shop.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=shop.environment(),
    ) as live:
        assert live.stdin is not None
        assert live.stdout is not None
        assert live.stdout.readline() == "ready\n"
        live.stdin.write("go\n")
        live.stdin.flush()
        for argv in ([], ["--history"], ["--under", "collector"], []):
            done = shop.verify(str(shop.closed), *argv)
            assert done.code == 0, done.out + done.err
            assert done.out.startswith("40 actors, all verified")
        live.stdin.write("stop\n")
        live.stdin.flush()
        checkpoints, set_aside = map(int, live.stdout.readline().split())
    assert live.returncode == 0
    assert checkpoints > 3, "the tables were written meanwhile, or this would have been easy"
    assert set_aside == 0


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
    shop.run("-W", "ignore", "-c", LOOK, str(shop.closed), str(shop.backup), **variables)
    assert shop.verify(**variables).code == 0
    done = shop.verify(str(shop.backup), "--under", "hash-seed,time-zone,collector", "--json", **variables)
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
    text = changed((PAYS, "        self.receipt = await charge(str(now().astimezone().utcoffset()), cents)\n"), ("entity, query", "entity, now, query"))  # fmt: skip
    shop.make(text=text, TZ="UTC0")
    assert shop.verify(TZ="UTC0").code == 0
    done = shop.verify(str(shop.backup), "--thorough", TZ="UTC0")
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
    from actorflow._command.progress import progress

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
    import importlib.util
    import time

    from actorflow._command.progress import progress

    clock = iter(range(1_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    shown = terminal(looked_at)
    with progress("verifying", 25) as advance:
        for _ in range(25):
            advance(1)
    assert shown.text == "verifying: 10 of 25\nverifying: 20 of 25\n"
