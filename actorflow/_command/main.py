"""Which commands there are, and how each ends: 0 all is well, 1 something was found, 2 it was not to be done.

A command is a module with ``declare``, which says what it takes, and ``run``.  Knows no journal, no entity.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from actorflow.errors import UsageError

from .failure import CommandFailed

__all__ = ["main"]

COMMANDS: Final = {
    "verify": "replay the actors of a journal with the code that is about to be deployed",
}
"""Each with a line; its module has the same name."""

FOUND, FAILED, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that is named; gives the exit code."""
    parser = argparse.ArgumentParser(prog="actorflow", description="Durable actors, from the outside.")
    parser.add_argument("--version", action="version", version=f"actorflow {version('actorflow')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules = {name: importlib.import_module(f"actorflow._command.{name}") for name in COMMANDS}
    for name, line in COMMANDS.items():
        modules[name].declare(commands.add_parser(name, help=line, description=modules[name].__doc__))
    arguments = parser.parse_args(argv)
    command: str = arguments.command
    try:
        well: bool = modules[command].run(arguments)
    except (CommandFailed, UsageError) as error:
        print(f"actorflow {command}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"actorflow {command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0 if well else FOUND
