"""Make the page about testing anew, after a run with ``--faults FILE``: ``python -m tests.faults``."""

from __future__ import annotations

import sys

from .page import PAGE, filled
from .runs import kept


def main() -> int:
    """Write the page, from the table and the runs that are kept."""
    runs = kept()
    PAGE.write_text(filled(PAGE.read_text("utf-8"), runs), "utf-8")
    commands = ", ".join(f"{run.command} of {run.date}" for run in runs)
    sys.stdout.write(f"{PAGE.name}: {commands}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
