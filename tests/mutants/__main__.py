"""``python -m tests.mutants``: makes mistakes in the parts that decide, and lists those that no test notices.

Each mistake is made in a fork of this process, by giving a function other code; then the tests that look at
it run until the first of them fails.  Survivors are listed; with why, where they were judged before.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any, Final, NamedTuple

import pytest

from tests.tidy.house import ROOT

from .judged import JUDGED
from .mistakes import Mistake, code_of, mistakes

CORE: Final = (
    "tests/core/test_traces_of_messages.py",
    "tests/core/test_traces_of_change.py",
    "tests/core/test_traces_of_lives.py",
    "tests/core/test_traces_of_waiting.py",
    "tests/core",
)
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "actorflow._core.step": CORE,
    "actorflow._core.turn": CORE,
    "actorflow._core.course": CORE,
    "actorflow._core.closing": CORE,
    "actorflow._core.replay": CORE,
    "actorflow._core.once": CORE,
    "actorflow._runtime.wakes": ("tests/runtime/test_wakes.py", "tests/runtime/test_histories.py"),
    "actorflow._runtime.rows": ("tests/runtime/test_damage.py", "tests/runtime/test_histories.py"),
    "actorflow._codec.records": ("tests/codec", "tests/core/test_golden.py"),
}
"""The modules, and the tests that are to notice, the quickest first."""
PATIENCE_S: Final = 120
"""Of computing; a busy machine is no mistake that hangs.  Waiting ends five times later."""
NOTICED, SURVIVED, HUNG = 1, 0, 2


class Tried(NamedTuple):
    """What became of a mistake."""

    module: str
    mistake: Mistake
    fate: int

    @property
    def name(self) -> str:
        return f"{self.module}.{self.mistake}"


def _make(module: str, mistake: Mistake) -> None:
    """Give the function the code with the mistake."""
    loaded: Any = importlib.import_module(module)
    file = Path(loaded.__file__)
    held: Any = loaded
    *outer, name = mistake.function.split(".")
    for one in outer:
        held = getattr(held, one)
    found: Any = vars(held)[name]
    function: Any = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
    assert isinstance(function, FunctionType), f"{mistake.function} is no function"
    function.__code__ = code_of(file.read_text(encoding="utf-8"), str(file), mistake)


class _Trials:
    """A plugin that tries each mistake in a fork of the session, once its tests have been collected."""

    def __init__(
        self, work: Sequence[tuple[str, Mistake]], at_once: int, tell: Callable[[Tried], None]
    ) -> None:
        self.left = list(reversed(work))
        self.at_once = at_once
        self.tell = tell
        self.forked = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> bool | None:
        """In the parent: all trials.  In a fork: nothing, so that pytest goes on and runs the tests."""
        running: dict[int, tuple[str, Mistake]] = {}
        while self.left or running:
            while self.left and len(running) < self.at_once:
                module, mistake = self.left.pop()
                child = os.fork()
                if not child:
                    self.forked = True
                    signal.alarm(PATIENCE_S * 5)
                    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE_S, PATIENCE_S))
                    silence = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(silence, 1)
                    os.dup2(silence, 2)
                    _make(module, mistake)
                    return None
                running[child] = module, mistake
            child, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            self.tell(Tried(*running.pop(child), HUNG if code < 0 else code))
        return True


def _try(
    work: Sequence[tuple[str, Mistake]], tests: Sequence[str], at_once: int, tell: Callable[[Tried], None]
) -> None:
    """Try these, so many at a time; collected once, for that takes longer than most mistakes live."""
    trials = _Trials(work, at_once, tell)
    quiet = ["-q", "-q", "-s", "--no-header", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options = [*quiet, "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-cov", "--seed", "1"]
    code = pytest.main([*options, *tests], plugins=[trials])
    if trials.forked:
        os._exit(SURVIVED if code == pytest.ExitCode.OK else NOTICED)
    if trials.left:
        sys.exit(f"the tests cannot be collected: {', '.join(tests)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Try all of them, or a sample, and print what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--module", action="append", choices=TARGETS, help="only this; may be repeated")
    parser.add_argument("--function", action="append", help="only in this; may be repeated")
    parser.add_argument("--sample", type=int, help="so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(argv)
    os.chdir(ROOT)
    work: list[tuple[str, Mistake]] = []
    for module in options.module or TARGETS:
        loaded = importlib.import_module(module)
        source = Path(str(loaded.__file__)).read_text(encoding="utf-8")
        work += [(module, mistake) for mistake in mistakes(source)]
    if options.function:
        work = [one for one in work if one[1].function in options.function]
    every = len(work)
    if options.sample:
        work = Random(options.seed).sample(work, min(options.sample, every))
    print(f"{len(work)} of {every} mistakes, seed {options.seed}", flush=True)
    began = time.monotonic()
    counts: dict[str, list[int]] = {module: [0, 0, 0] for module in TARGETS}
    survivors: list[Tried] = []

    def tell(tried: Tried) -> None:
        counts[tried.module][tried.fate] += 1
        if tried.fate == SURVIVED:
            survivors.append(tried)
            known = JUDGED.get(tried.name)
            place = f"{tried.module.rpartition('.')[2]}.py:{tried.mistake.line}"
            print(f"  survived {place} {tried.mistake}{f' ({known})' if known else ''}", flush=True)
        if sys.stderr.isatty():
            done = sum(map(sum, counts.values()))
            print(f"\r{done} of {len(work)}", end="", file=sys.stderr, flush=True)

    for tests in dict.fromkeys(TARGETS.values()):
        if mine := [one for one in work if TARGETS[one[0]] == tests]:
            _try(mine, tests, options.jobs, tell)
    print(f"\n{'module':>32}{'mistakes':>10}{'noticed':>9}{'hung':>6}{'survived':>10}")
    for module, (survived, noticed, hung) in counts.items():
        if survived + noticed + hung:
            print(f"{module:>32}{survived + noticed + hung:>10}{noticed:>9}{hung:>6}{survived:>10}")
    unjudged = [one for one in survivors if one.name not in JUDGED]
    print(f"{len(survivors)} survived, {len(unjudged)} not judged; {time.monotonic() - began:,.0f} s")
    return 1 if unjudged else 0


if __name__ == "__main__":
    sys.exit(main())
