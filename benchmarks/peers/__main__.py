"""How does actorflow compare with its peers, asked the same on this machine in the same run?

Prints one table when all have answered, and how far it is while they are asked.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers._peer import OURS, PEERS, ROOT, NotInstalled, Peer, Report, drive, install
from benchmarks.peers._table import notes, right, table
from benchmarks.peers._work import SIZES

PATIENCE_SECONDS: Final = {"small": 120.0, "full": 600.0}


def main(argv: Sequence[str] | None = None) -> int:
    """Ask them all, and print the table; 1 if one that could be installed failed, or answered wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    names = [peer.name for peer in PEERS]
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"all, or some of {', '.join(names)}")
    parser.add_argument("--size", choices=sorted(SIZES), default="full")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything that was measured")
    parser.add_argument(
        "--environments", type=Path, default=ROOT / ".venv" / "peers", help="where the peers are installed"
    )
    told = parser.parse_args(argv)
    wanted = [name for said in told.peers for name in said.split(",") if name] or names
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"there is no peer {unknown[0]!r}; there are {', '.join(names)}")
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that whoever was started is ended
    try:
        peers = [*OURS, *(peer for peer in PEERS if peer.name in wanted)]
        reports = [_asked(peer, told.size, told.environments) for peer in peers]
    except KeyboardInterrupt:
        print("interrupted; whoever was asked has ended", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    print(table(reports, SIZES[told.size].questions))
    print()
    print(notes(reports))
    if told.json is not None:
        told.json.write_text(json.dumps(_everything(told.size, reports), indent=1) + "\n", encoding="utf-8")
    missing = [
        report for report in reports if report.trouble and not report.trouble.startswith("not installed")
    ]
    return 1 if missing or not right(reports) else 0


def _asked(peer: Peer, size: str, environments: Path) -> Report:
    began = time.monotonic()

    def progress(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {peer.name}: {what}", file=sys.stderr, flush=True)

    if peer.pip:
        progress(f"{', '.join(peer.pip + peer.npm)}, in {environments}")
    try:
        python = install(peer, environments)
    except NotInstalled as error:
        progress(f"not installed: {error}")
        return Report(peer.name, trouble=f"not installed: {error}")
    report = drive(peer, python, size, PATIENCE_SECONDS[size], progress)
    if report.trouble:
        progress(report.trouble)
    return report


def _everything(size: str, reports: Sequence[Report]) -> dict[str, object]:
    machine = {"system": platform.platform(), "cores": os.cpu_count(), "python": platform.python_version()}
    systems = [
        {
            "name": report.name,
            "version": report.version,
            "durability": report.durability,
            "answers": [vars(answer) for answer in report.answers.values()],
            "cannot": report.cannot,
            "trouble": report.trouble,
        }
        for report in reports
    ]
    return {"size": size, "machine": machine, "systems": systems}


if __name__ == "__main__":
    sys.exit(main())
