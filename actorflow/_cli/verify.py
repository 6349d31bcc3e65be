"""Replay the actors of a journal with the code that is about to be deployed, and say what would go wrong.

The journal is only read: it may be a backup, or the one that a running process writes. Nothing runs of what
actors ask for. Ends with 0 if nothing would go wrong, 1 if something would, 2 if it could not be found out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import secrets
import sys
from typing import Final

import attrs

from actorflow.errors import DecodeError, NotAccepted
from actorflow.testing.report import Report, Tally
from actorflow.testing.verifying import Verifier, report_of, unopened
from persistence import JournalError, LmdbJournal

from .crew import Crew
from .failure import NotDone
from .known import known_of
from .loading import entities_of, limits_of
from .progress import progress
from .settings import AS_IT_IS, KINDS, settings_of
from .worker import Task

__all__ = ["declare", "run"]

JOBS_MAX: Final = 64
"""LMDB's table of readers has room for 126."""
TIMEOUT_S: Final = 60.0
SEEDS: Final = 1 << 32


def declare(parser: argparse.ArgumentParser) -> None:
    """Say what it takes."""
    add = parser.add_argument
    add("store", metavar="STORE", help="the directory of a journal")
    add("--entities", required=True, metavar="NAMES", help="modules, or module:Class, with commas between")
    add("--limits", metavar="module:NAME", help="the Limits that the runtime is given, if it is")
    add("--history", action="store_true", help="replay all that is kept, not only since the last snapshot")
    add("--sample", type=_count, metavar="N", help="verify so many actors, taken by chance")
    add("--seed", type=int, metavar="N", help="of the sample: repeats the one that printed it")
    add("--actor", action="append", metavar="Entity/key", help="verify this one; may be said several times")
    add("--jobs", type=_count, metavar="N", help="processes at a time; as many as there are cores")
    add("--under", metavar="KINDS", default="", help=f"replay also under others: {', '.join(KINDS)}")
    add("--thorough", action="store_true", help="everything: --history, and --under all of these")
    add(
        "--unregistered",
        choices=["warn", "error"],
        default="warn",
        help="what it means that actors are there whose entity is not named",
    )
    add("--timeout", type=_seconds, default=TIMEOUT_S, metavar="SECONDS", help="how long one actor may take")
    add("--except", dest="known", metavar="FILE", help="findings that are known: a report of --json")
    add("--json", action="store_true", help="print the report for programs")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}, where 1 is the least")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time to wait")
    return seconds


def run(told: argparse.Namespace) -> bool:
    """Verify, print the report, and say whether all is well."""
    if told.sample is not None and told.actor:
        raise NotDone("--sample and --actor exclude each other")
    known = known_of(told.known)
    # As `python program.py` would find them: the application is in the directory where this is typed.
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a path to import from is a string
    try:
        report, seed = _verified(told)
    except NotAccepted as error:
        raise NotDone(str(error.__cause__ or error)) from error
    except (JournalError, OSError) as error:
        raise NotDone(str(error)) from error
    report = report.excepting(known)
    well = report.ok and (told.unregistered == "warn" or not report.unregistered)
    if told.json:
        print(json.dumps({"ok": well, "seed": seed, **attrs.asdict(report)}, indent=2))
    else:
        print(report)
        if seed is not None:
            print(f"the same sample again: --sample {told.sample} --seed {seed}")
    return well


def _verified(told: argparse.Namespace) -> tuple[Report, int | None]:
    names = tuple(name for name in told.entities.split(",") if name)
    with contextlib.redirect_stdout(sys.stderr):  # what an application prints is no part of the report
        entities, limits = entities_of(names), limits_of(told.limits)
    kinds = KINDS if told.thorough else [kind for kind in told.under.split(",") if kind]
    settings = settings_of(kinds)
    history = told.history or told.thorough
    verifier = Verifier(LmdbJournal(told.store, read_only=True), entities, limits, history=history)
    try:
        verifier.open()
    except DecodeError as error:
        return unopened(error), None
    seed: int | None = None
    if told.sample is not None:
        seed = secrets.randbelow(SEEDS) if told.seed is None else told.seed
    try:
        census = verifier.census()
        chosen = verifier.chosen(told.sample, seed or 0, told.actor)
        total = len(chosen) if isinstance(chosen, list) else census.actors
        task = Task(told.store, names, told.limits, history, bool(settings), AS_IT_IS)
        jobs = min(told.jobs or os.cpu_count() or 1, JOBS_MAX)
        with Crew(task, settings, jobs, total, told.timeout) as crew, progress("verifying", total) as advance:
            tally = Tally()
            for looked in crew.look(chosen):
                tally.take(looked.messages, looked.findings)
                advance(1)
    finally:
        verifier.close()
    return report_of(census, tally, tuple(setting.name for setting in settings)), seed
