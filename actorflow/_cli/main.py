"""Which commands there are, and how each ends: 0 all is well, 1 something was found, 2 it was not to be done.

A command is a module with ``declare``, which says what it takes, and ``run``.  Knows no journal, no entity.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from actorflow.errors import UsageError

from .failure import NotDone

__all__ = ["main"]

COMMANDS: Final = {
    "verify": "replay the actors of a journal with the code that is about to be deployed",
}
"""Each with a line; its module has the same name."""

FOUND, FAILED, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that is named; gives the exit code."""
    parser = argparse.ArgumentParser(prog="actorflow", description="Durable actors, from the outside.")
    parser.add_argument("--version", action="version", version=f"actorflow {_release()}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    modules = {name: importlib.import_module(f"actorflow._cli.{name}") for name in COMMANDS}
    for each, line in COMMANDS.items():
        modules[each].declare(commands.add_parser(each, help=line, description=modules[each].__doc__))
    arguments = parser.parse_args(argv)
    name: str = arguments.name
    try:
        well: bool = modules[name].run(arguments)
    except (NotDone, UsageError) as error:
        print(f"actorflow {name}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"actorflow {name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0 if well else FOUND


def _release() -> str:
    try:
        return version("actorflow")
    except PackageNotFoundError:
        return "of a checkout that is not installed"
