"""Asks the questions by name, prints each answer as it comes, and keeps them.  Knows nothing of any."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from ._case import Case, Size
from ._run import Answer, Failed, answer
from ._table import Table, machine, told

INTERRUPTED = 130
"""What a shell makes of Ctrl-C."""

Asking = Callable[[Size], Iterable[Case]]


def names() -> list[str]:
    """The questions there are; what is a package, as the peers are, has a command of its own."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in found if not module.name.startswith("_") and not module.ispkg)


def question(name: str) -> str:
    """What it asks: the first paragraph of its docstring."""
    text = inspect.getdoc(importlib.import_module(f"benchmarks.{name}")) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def cases(name: str) -> Asking:
    """What it is made of, by size."""
    made: Asking = importlib.import_module(f"benchmarks.{name}").cases
    return made


def ask(
    name: str, asked: str, cases: Sequence[Case], console: Console, *, rounds: int | None = None
) -> Iterator[Answer | Failed]:
    """Run the cases of a question, and print a row for each."""
    table = Table(cases)
    print_ = _lines(console)
    print_(f"\n[bold]{name}[/]: {escape(asked)}")
    print_(table.head())
    durability = ""
    with _progress(console) as show:
        for number, case in enumerate(cases, 1):

            def tell(round_: int, times: int, case: Case = case, number: int = number) -> None:
                show(f"{name}, {number} of {len(cases)}: {case}, round {round_} of {times}")

            if case.durability != durability:
                durability = case.durability
                print_(f"[dim]durability: {escape(durability)}[/]")
            found = answer(case, rounds=rounds, tell=tell)
            print_(table.row(found))
            yield found


def _lines(console: Console) -> Callable[[str], None]:
    """Rows are as long as they are: a terminal folds them, a file does not."""
    return lambda text: console.print(text, highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Say on a terminal what is being measured; elsewhere nothing.

    It is drawn only when told to: a thread that draws would take part in what is measured, and in the forks.
    """
    if not console.is_terminal:
        yield lambda _: None
        return
    with Live("", console=console, auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(f"[dim]{escape(text)}[/]", refresh=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Ask the questions named, or list all: 0, 1 if a case failed, 130 if it was interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, or list the questions."
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help="of a question, or all")
    parser.add_argument("--size", choices=["tiny", "small", "full"], default="small")
    parser.add_argument("--rounds", type=int, help="of each case, instead of its own number")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the answers")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw them, with matplotlib")
    parser.add_argument(
        "--kept", type=Path, metavar="FILE", help="draw what --json kept, instead of measuring"
    )
    given = parser.parse_args(argv)
    unknown = [name for name in given.name if name not in {*names(), "all"}]
    if unknown:
        there = ", ".join(names())
        parser.error(f"there is no question {', '.join(unknown)}\n  hint: one of {there}, or all")
    if given.pictures and find_spec("matplotlib") is None:
        # Said before anything is measured, and not five minutes later.
        parser.error(
            "--pictures: matplotlib is not installed\n"
            "  hint: make bench PICTURES=folder installs it; or pip install -e '.[pictures]'"
        )
    if given.kept:
        return _draw(json.loads(given.kept.read_text("utf-8"))["questions"], given.pictures or Path())
    if not given.name:
        for name in names():
            print(f"{name:<16}{question(name)}")
        return 0
    return _asked(names() if "all" in given.name else given.name, given)


def _asked(asked: Sequence[str], given: argparse.Namespace) -> int:
    console = Console()
    print_ = _lines(console)
    print_("[dim]" + escape(", ".join(f"{what} {value}" for what, value in machine().items())) + "[/]")
    began = time.monotonic()
    whole: dict[str, Any] = {"machine": machine(), "size": given.size, "questions": []}
    failed: list[tuple[str, Failed]] = []
    interrupted = False
    for name in asked:
        found: list[Answer | Failed] = []
        try:
            for one in ask(name, question(name), list(cases(name)(given.size)), console, rounds=given.rounds):
                found.append(one)  # noqa: PERF402 - what came before Ctrl-C is kept
        except KeyboardInterrupt:
            interrupted = True
        whole["questions"].append(told(name, question(name), found))
        failed += [(name, one) for one in found if isinstance(one, Failed)]
        if interrupted:
            print_("[red]interrupted: what is above is all there is[/]")
            break
    for name, one in failed:
        print_(f"\n[red]{name}, {one.case}, failed:[/]\n{escape(one.why.rstrip())}")
    print_(f"\n[dim]{time.monotonic() - began:,.0f} s in all[/]")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.pictures and not interrupted:
        _draw(whole["questions"], given.pictures)
    return INTERRUPTED if interrupted else 1 if failed else 0


def _draw(questions: Sequence[dict[str, Any]], folder: Path) -> int:
    from ._pictures import draw  # noqa: PLC0415 - matplotlib is there on demand

    for path in draw(questions, folder):
        print(f"drawn: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
