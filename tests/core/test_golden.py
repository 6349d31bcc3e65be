"""What an earlier engine wrote is read by this one, and means the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actorflow._core.facts import ENGINE_VERSION
from actorflow.testing import Scenario
from tests.core.golden import ENTITIES, FOLDER, stories, told

JOURNALS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
def test_a_golden_journal_replays(path: Path) -> None:
    """Every journal ever kept gives the actor that it gave when it was written."""
    kept = json.loads(path.read_text())
    records = [bytes.fromhex(record) for record in kept["records"]]
    scenario = Scenario.of_records(ENTITIES[kept["entity"]], kept["key"], records)
    assert told(scenario) == kept["told"]


def test_each_story_is_kept_for_the_present_engine() -> None:
    """There is a journal of this engine for each story; ``python -m tests.core.golden`` writes them."""
    kept = {path.stem for path in JOURNALS}
    assert kept >= {f"engine-{ENGINE_VERSION}-{name}" for name in stories()}


def test_the_record_that_opens_a_run_names_code_and_engine() -> None:
    """A birth and a continuation say which engine and which code ran what follows."""
    for name in ("bought", "rounds"):
        scenario = stories()[name]
        codec = scenario.codec
        records = [codec.unpack_record(record) for record in scenario.records]
        opening = [
            record
            for record in records
            if record.extra and ("nonce" in record.extra or (record.input and record.input.kind == 11))
        ]
        assert len(opening) >= 2
        assert all(record.extra and {"code", "engine"} <= record.extra.keys() for record in opening)
