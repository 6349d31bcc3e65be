"""Findings that are known, as a file says them: a report of ``--json``, whole, or cut down to these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import attrs

from actorflow.testing.report import Finding

from .failure import NotDone

__all__ = ["known_of"]

FIELDS = attrs.fields_dict(Finding)


def known_of(path: str | None) -> list[Finding]:
    """The findings in a file, one of each cause; what else the file says is for people."""
    if path is None:
        return []
    try:
        plain = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise NotDone(f"--except {path}: {error.strerror}") from error
    except ValueError as error:
        raise NotDone(f"--except {path} is no JSON: {error}\n  hint: write it with --json") from error
    try:
        # What an earlier file has excepted is in the report that was made with it, and stays excepted.
        causes = [*plain["causes"], *plain.get("excepted", ())]
        return [_finding(cause["findings"][0]) for cause in causes]
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise NotDone(f"--except {path} is no report of --json: {error!r}") from error


def _finding(plain: dict[str, Any]) -> Finding:
    told = {name: value for name, value in plain.items() if name in FIELDS}
    told["under"] = tuple(cast("list[str]", plain.get("under", ())))
    finding = Finding(**told)
    assert finding.cause, "what it is known by can be made of it"
    return finding
