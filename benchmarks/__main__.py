"""Runs a benchmark by its name, or lists the questions that can be asked.  Knows nothing of any of them."""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path


def names() -> list[str]:
    """The benchmarks there are; what is a package, as the peers are, has a command of its own."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(module.name for module in found if not module.ispkg and not module.name.startswith("_"))


def question(name: str) -> str:
    """What a benchmark asks: the first line of its docstring."""
    text = inspect.getdoc(importlib.import_module(f"benchmarks.{name}")) or ""
    return text.partition("\n")[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark named, handing it the size and what else was said."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Run one benchmark, or list all."
    )
    parser.add_argument("name", nargs="?", choices=names(), metavar="NAME")
    parser.add_argument("--size", choices=["small", "full"], default="full")
    told, rest = parser.parse_known_args(argv)
    if told.name is None:
        for name in names():
            print(f"{name:<16}{question(name)}")
        return 0
    answer: int | None = importlib.import_module(f"benchmarks.{told.name}").main(["--size", told.size, *rest])
    return answer or 0


if __name__ == "__main__":
    sys.exit(main())
