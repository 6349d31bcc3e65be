"""Strict mode: what the guard stops, whom it blames, and that it leaves no trace."""

# ruff: noqa: ANN001, ANN003, ANN201, ANN202, ANN204, BLE001, ICN001, PLW0108, PT012, PTH109, PTH116
# ruff: noqa: PTH123, RET504, S102, S110, S301, SIM105, SIM115
# Handlers that do what they must not are what is tested here.
# mypy: ignore-errors
# pyright: basic, reportAttributeAccessIssue=false

from __future__ import annotations

import copy
import cProfile
import datetime
import gc
import io
import json
import os
import pickle
import pstats
import random
import subprocess
import sys
import threading
import time
import types
import uuid
import warnings
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

import actorflow.errors
from actorflow._determinism import guard
from actorflow._determinism.guard import enter, guarded, leave, suspended
from actorflow.errors import FaultError, NondeterminismError

OURS = Path(actorflow.errors.__file__).parent / "_made_for_a_test.py"
SITE = "/usr/lib/python3/site-packages/shop/rules.py"


def compiled(source, file, **names):
    """Answer function ``f`` of a source that says it comes from this file."""
    namespace = {"__name__": "compiled"} | names
    exec(compile(source, str(file), "exec"), namespace)
    return namespace["f"]


def test_a_good_handler_runs_in_silence():
    """Business code, the standard library's pure parts and generated methods pass."""

    @attrs.define(frozen=True)
    class Item:
        quantity: int
        price: Decimal

    def handler():
        items = {"apple": Item(2, Decimal("1.50")), "pear": copy.deepcopy(Item(1, Decimal(3)))}
        total = sum(item.quantity * item.price for item in items.values())
        text = json.dumps({"total": str(total), "due": str(datetime.timedelta(days=1))})
        by_item = {item: name for name, item in items.items()}
        "münchen.example".encode("idna")
        with warnings.catch_warnings(record=True, action="always"):
            warnings.warn("only a warning", stacklevel=1)
        return text, by_item, repr(items), pickle.loads(pickle.dumps(total)), random.Random(1).randint(1, 6)

    with guarded("Cart, add_item"):
        handler()


def test_the_error_names_the_line_the_thing_and_the_remedy():
    """Whoever reads it at night can jump to the line and knows what to write."""

    def handler():
        return uuid.uuid4()

    with pytest.raises(NondeterminismError) as caught, guarded("Cart 'c-1', checkout"):
        handler()
    error = caught.value
    assert isinstance(error, FaultError)
    assert error.where == f"{__file__}:{handler.__code__.co_firstlineno + 1}: Cart 'c-1', checkout"
    assert error.what == "uuid.uuid4()"
    assert error.instead == "use actorflow.uuid4(), which replay repeats"


@pytest.mark.parametrize(
    ("run", "what"),
    [
        (lambda: os.environ.copy(), "os.environ"),
        (lambda: random.shuffle([1, 2]), "random.shuffle()"),
        (lambda: random.Random(), "random.Random()"),
        (lambda: threading.Thread(), "threading.Thread()"),
        (lambda: __import__("no_such_module"), "__import__()"),
        (lambda: open(__file__), "open()"),
        (lambda: io.open_code(__file__), "io.open_code()"),
        (lambda: sorted([1, 2], key=id), "id()"),
    ],
)
def test_things_are_called_as_the_author_calls_them(run, what):
    """Not by the private module or the C function behind them."""
    with pytest.raises(NondeterminismError) as caught, guarded("x"):
        run()
    assert caught.value.what == what


def test_the_error_cannot_be_swallowed():
    """An author's ``except Exception`` keeps it from the handler's outcome, not from ``leave``."""
    watch = enter("Cart, add_item")
    try:
        time.time()
    except Exception:
        pass
    with pytest.raises(NondeterminismError) as caught:
        leave(watch)
    assert caught.value is watch.error


def test_the_first_of_several_is_reported():
    """What comes after the first may well be its consequence."""
    with pytest.raises(NondeterminismError) as caught, guarded("x"):
        try:
            time.time()
        finally:
            open(os.devnull).close()
    assert caught.value.what == "time.time()"


def test_after_an_error_the_next_handler_is_watched_again():
    """Python unsets a profile function that raises; the next run gets a new one."""
    for _ in range(2):
        with pytest.raises(NondeterminismError), guarded("x"):
            time.time()
    assert sys.getprofile() is None
    time.time()


def test_outside_a_handler_nothing_is_watched():
    """Neither instrument says anything once the handler has returned, or in another thread."""
    seen = []
    with guarded("x"):
        pass
    uuid.uuid4()
    open(os.devnull).close()
    begin, go_on = threading.Event(), threading.Event()

    def elsewhere():
        begin.wait()
        seen.append((time.time(), os.stat("/")))
        go_on.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with guarded("x"), suspended():
        begin.set()
        go_on.wait()
    thread.join()
    assert seen


def test_runs_nest():
    """A run inside a run (a query read by a handler) gives the outer one its watch back."""
    with pytest.raises(NondeterminismError) as caught, guarded("outer"):
        with guarded("inner"):
            pass
        time.time()
    assert caught.value.where.endswith("outer")


def test_actorflows_own_work_is_not_watched():
    """The nearest frame that is not the standard library's answers for a call, and actorflow's may."""
    ours = compiled("import logging, time\ndef f(call):\n  time.time(); logging.getLogger('x'); call()", OURS)
    with guarded("x"):
        ours(int)
    with pytest.raises(NondeterminismError), guarded("x"):
        ours(lambda: time.time())


def test_suspended_looks_away():
    """For a callback of the user's that is not part of the handler; without a handler it does nothing."""
    with guarded("x"), suspended():
        time.time()
        open(os.devnull).close()
    with suspended():
        time.time()


def test_the_mark_excuses_a_line():
    """What the lint leaves alone, the guard leaves alone."""
    with guarded("x"):
        time.time()  # actorflow: ok
        max(
            time.time(),
            1,
        ) if not sys else time.time()  # actorflow: ok
    with pytest.raises(NondeterminismError), guarded("x"):
        max(
            1,  # actorflow: ok
            time.time(),
        )


def test_a_package_is_blamed_for_clocks_but_not_for_identity():
    """What a library remembers by ``id`` or guards with a lock does no harm; its clock does."""
    lock = threading.Lock()
    memo = compiled("def f(x): return id(x), hash(x), LOCK.acquire(), LOCK.release()", SITE, LOCK=lock)
    with guarded("x"):
        memo("a")
        compiled("class f:\n def __hash__(self): return hash('a')", __file__)().__hash__()
    with pytest.raises(NondeterminismError), guarded("x"):
        compiled("import time\ndef f(): time.time()", SITE)()


def test_finalizers_are_not_the_handlers_doing():
    """The collector runs them on top of whatever frame there is."""

    class Old:
        def __init__(self):
            self.me = self

        def __del__(self):
            time.time()

    Old()
    with guarded("x"), suspended():
        gc.collect()
    with guarded("x"):
        old = Old()
        old.me = None
        del old


def test_what_others_abandoned_is_not_the_handlers_doing():
    """A coroutine that somebody left suspended ends in a handler, if the collector finds it there."""

    @types.coroutine
    def hang():
        yield

    async def abandoned():
        try:
            await hang()
        finally:
            ended.append(time.time())

    ended: list[float] = []
    before = gc.get_threshold()
    gc.collect()
    gc.set_threshold(1_000, 10, 10)
    coroutine = abandoned()
    coroutine.send(None)
    ring: list[object] = [coroutine]
    ring.append(ring)
    del coroutine, ring
    with guarded("x"):
        _rings = [[n] for n in range(10_000)]
    gc.set_threshold(*before)
    assert ended
    with pytest.raises(NondeterminismError), guarded("x"):
        time.time()


def test_modules_of_the_library_may_be_imported_behind_the_scenes():
    """``strptime`` imports its helper when first used; a module of another package is another matter."""
    fresh = """
import sys
from datetime import datetime
from actorflow._determinism.guard import guarded
assert "_strptime" not in sys.modules and "attr" in sys.modules
with guarded("x"):
    datetime.strptime("2024-01-31", "%Y-%m-%d")
    import colorsys
try:
    with guarded("x"):
        import no_such_module
except Exception as error:
    assert error.what == "import of no_such_module", error
else:
    raise SystemExit("not caught")
"""
    subprocess.run([sys.executable, "-c", fresh], check=True, env=os.environ | {"PYTHONPATH": os.getcwd()})


def test_nothing_is_installed_by_an_import():
    """An audit hook stays for ever, so only strict mode itself brings one."""
    fresh = """
import sys
sys.addaudithook(lambda event, args: hooks.append(event) if event == "sys.addaudithook" else None)
hooks = []
from actorflow._determinism import guard, lint, fingerprint
assert not hooks and not guard._calls and "trio" not in sys.modules and "asyncio" not in sys.modules
with guard.guarded("x"):
    pass
with guard.guarded("x"):
    pass
assert len(hooks) == 1
"""
    subprocess.run([sys.executable, "-c", fresh], check=True, env=os.environ | {"PYTHONPATH": os.getcwd()})


def test_a_profile_function_is_restored():
    """Whoever profiles the program keeps the profile, also after an error."""
    events = []

    def profile(frame, event, arg):
        events.append(frame.f_code.co_name)

    def marker():
        pass

    sys.setprofile(profile)
    try:
        with pytest.raises(NondeterminismError), guarded("x"):
            time.time()
        assert sys.getprofile() is profile
        events.clear()
        marker()
    finally:
        sys.setprofile(None)
    assert "marker" in events


def test_cprofile_is_restored():
    """Before 3.12 cProfile sits where the guard wants to sit: it is stopped, and started again."""

    def before():
        pass

    def after():
        pass

    profile = cProfile.Profile()
    profile.enable()
    before()
    try:
        with guarded("x"):
            len([])
    finally:
        after()
        profile.disable()
    names = {name for _, _, name in pstats.Stats(profile).stats}
    assert {"before", "after"} <= names
    assert sys.getprofile() is None


def test_tracing_goes_on_under_the_guard():
    """Coverage and debuggers use the trace function, which the guard does not touch."""
    previous, lines = sys.gettrace(), []

    def trace(frame, event, arg):
        if frame.f_code.co_name == "handler" and event == "line":
            lines.append(frame.f_lineno)
        return trace

    def handler():
        first = 1
        return first

    sys.settrace(trace)
    try:
        with guarded("x"):
            handler()
    finally:
        sys.settrace(previous)
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("file", "role", "module"),
    [
        (os.__file__, "library", "os"),
        (json.__file__, "library", "json"),
        ("<frozen os>", "library", "os"),
        ("<frozen importlib._bootstrap>", "quiet", ""),
        ("<attrs generated init shop.Item>", "library", ""),
        ("<string>", "author", ""),
        (SITE, "site", "shop.rules"),
        ("/usr/lib/python3/dist-packages/attr/_make.py", "library", "attr._make"),
        ("/usr/lib/python3/site-packages/hypothesis/core.py", "quiet", ""),
        (str(OURS), "quiet", ""),
        (__file__, "author", ""),
    ],
)
def test_files_are_told_apart(file, role, module):
    """Who answers for a frame depends on where its source lies."""
    place = guard._place.__wrapped__(file)
    assert (place.role, place.module) == (role, module)


def test_the_instruments_do_nothing_without_a_watch():
    """A profile function may be called once more while it is being taken away."""
    frame = sys._getframe()
    guard._profile(frame, "c_call", time.time)
    guard._profile(frame, "return", None)
    guard._audit("open", ("x",))
    guard._blame(None, "time.time")


def test_the_instruments_by_hand():
    """As Python calls them, which coverage cannot see: each kind of event, a hit and a pass."""
    frame = sys._getframe()
    entered = compiled("import sys\ndef f(): return sys._getframe()", "<frozen os>", __name__="os")
    shadow = compiled("import sys\ndef f(): return sys._getframe()", __file__, __name__="queue")
    for event, arg, hit in [
        ("c_call", time.time, True),
        ("c_call", len, False),
        ("c_call", threading.Lock().acquire, True),
        ("return", None, False),
    ]:
        assert raises(lambda e=event, a=arg: guard._profile(frame, e, a)) is hit
    assert raises(lambda: guard._profile(entered(), "call", None)), "a function of os, called by the author"
    assert not raises(lambda: guard._profile(frame, "call", None))
    assert not raises(lambda: guard._profile(shadow(), "call", None)), (
        "an author's module may be called queue"
    )
    for event, args, hit in [
        ("open", ("x",), True),
        ("compile", (), False),
        ("import", ("json",), False),
        ("import", ("actorflow.x",), False),
        ("import", ("shop.rules",), True),
    ]:
        assert raises(lambda e=event, a=args: guard._audit(e, a)) is hit


def test_random_generators_with_a_seed_are_welcome():
    """The generator of actorflow has one, and its methods live in the same file as the forbidden ones."""
    assert raises(lambda: guard._profile(made("__init__", x=None), "call", None))
    assert not raises(lambda: guard._profile(made("__init__", x=7), "call", None))
    assert not raises(lambda: guard._profile(made("randint", x=None), "call", None))


def test_code_without_positions_is_blamed_by_its_line():
    """``-X no_debug_ranges`` leaves only the line."""
    frame = compiled("import sys\ndef f():\n  return sys._getframe()", "<string>")()
    stripped: Any = SimpleNamespace(f_code=SimpleNamespace(co_positions=lambda: iter(())), f_lineno=3)
    assert guard._lines(frame) == guard._lines(stripped) == (3, 3)


def test_who_is_blamed():
    """The nearest frame that is neither the library's nor excused, by the name it used."""

    def blamed(file, name, source="def f(call): call()"):
        call = compiled(source, file)
        error = caught(lambda: call(lambda: guard._blame(sys._getframe(1), name)))
        return error and error.what

    library = str(Path(os.__file__).parent / "uuid.py")
    assert blamed(__file__, "os.urandom") == "os.urandom()"
    assert blamed(library, "os.urandom", "def uuid4(call): call()\nf = uuid4") == "uuid.uuid4()"
    assert blamed("<attrs generated init>", "os._Environ.__getitem__") == "os.environ"
    assert blamed(__file__, "hash") == "hash()"
    assert blamed(__file__, "hash", "def __hash__(call): call()\nf = __hash__") is None
    assert blamed(__file__, "time.time", "def __del__(call): call()\nf = __del__") is None
    assert blamed(__file__, "time.time", "def f(call): call()  # actorflow: ok") == "time.time()", (
        "no such line"
    )
    assert blamed(library, "hash") is None
    assert blamed(SITE, "hash") is None
    assert blamed(SITE, "time.time") == "time.time()"
    assert blamed(OURS, "time.time") is None
    assert caught(lambda: guard._blame(None, "time.time")) is None


def made(name, x):
    """Answer a frame as if of ``random.Random``, called from here."""
    source = f"import sys\nclass Random:\n def {name}(self, x): return sys._getframe()\nf = Random.{name}"
    return compiled(source, random.__file__, __name__="random")(None, x)


def raises(run):
    """Tell whether the guard speaks of something."""
    return caught(run) is not None


def caught(run):
    """Run something as if in a handler, though Python calls no instrument; answer what the guard says."""
    with guarded("what learns the forbidden functions"):
        pass
    guard._here.watch = guard.Watch("x")
    try:
        run()
    except NondeterminismError as error:
        return error
    finally:
        guard._here.watch = None
    return None
