"""``python -m tests.mutants``: makes mistakes in the parts that decide, and lists those that no test notices.

Each mistake is made in a fork of this process, by giving a function other code; then the tests that come to
it run until the first of them fails.  Survivors are listed; with why, where they were judged before.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.tidy.house import ROOT

from .judged import JUDGED
from .kept import SURVIVED, Kept, Tried
from .mistakes import Mistake, mistakes, texts
from .targets import SLOW, TARGETS
from .trials import source_of, try_all


def main(argv: Sequence[str] | None = None) -> int:
    """Try all of them, or a sample, and print what became of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--module", action="append", choices=TARGETS, help="only this; may be repeated")
    parser.add_argument("--function", action="append", help="only in this; may be repeated")
    parser.add_argument("--sample", type=int, help="so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="write fates there; what it says is settled is not tried"
    )
    parser.add_argument("--thorough", action="store_true", help="with the slowest tests, too")
    parser.add_argument("--judged", action="store_true", help="only those: does really nobody notice?")
    options = parser.parse_args(argv)
    os.chdir(ROOT)
    kept = Kept(options.keep)
    work: list[tuple[str, Mistake]] = []
    for module in options.module or TARGETS:
        source = source_of(module)
        found = list(mistakes(source))
        kept.expect(module, texts(source), Counter(one.function for one in found))
        for one in found:
            judged = f"{module}.{one}" in JUDGED
            fate = kept.fate(module, one.function, one.place)
            if judged if options.judged else fate is None or (fate == SURVIVED and not judged):
                work.append((module, one))
    if options.function:
        work = [one for one in work if one[1].function in options.function]
    every = len(work)
    if options.sample:
        work = Random(options.seed).sample(work, min(options.sample, every))
    print(f"{len(work)} of {every} mistakes, seed {options.seed}", flush=True)
    began = time.monotonic()
    done: list[Tried] = []

    def tell(tried: Tried) -> None:
        done.append(tried)
        kept.note(tried)
        if tried.fate == SURVIVED:
            known = JUDGED.get(tried.name)
            place = f"{tried.module.rpartition('.')[2]}.py:{tried.mistake.line}"
            print(f"  survived {place} {tried.mistake}{f' ({known})' if known else ''}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{len(done)} of {len(work)}", end="", file=sys.stderr, flush=True)

    left_out = [] if options.thorough else [f"--ignore={one}" for one in SLOW]
    for tests in dict.fromkeys(TARGETS.values()):
        if mine := [one for one in work if TARGETS[one[0]] == tests]:
            try_all(mine, [*tests, *left_out], options.jobs, tell)
    kept.write()
    print(f"\n{'module':>32}{'mistakes':>10}{'noticed':>9}{'hung':>6}{'survived':>10}{'untried':>9}")
    for module, fates in kept.sums().items():
        tried = f"{fates.noticed:>9}{fates.hung:>6}{fates.survived:>10}{fates.untried:>9}"
        print(f"{module:>32}{sum(fates):>10}{tried}")
    survivors = [one for one in done if one.fate == SURVIVED]
    unjudged = [one for one in survivors if one.name not in JUDGED]
    print(f"{len(survivors)} survived, {len(unjudged)} not judged; {time.monotonic() - began:,.0f} s")
    return 1 if unjudged else 0


if __name__ == "__main__":
    sys.exit(main())
