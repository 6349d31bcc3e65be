"""Is nobody set aside for good because somebody kills processes just while he is being activated?"""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from actorflow import Limits, Runtime, Suspect
from actorflow._runtime.residency import SUSPECT_TIMES
from actorflow._runtime.tables import path_of
from persistence import LmdbJournal

from .innocents import readmit_innocents
from .oracle import verdict
from .said import Said
from .village import VILLAGE, Box


async def _blamed(path: Path, times: int) -> None:
    """A journal in which so many deaths are blamed on one actor."""
    async with Runtime(LmdbJournal(path), entities=VILLAGE) as runtime:
        await runtime.actor(Box, "a").once("1").signal(Box.put, "me", 1)
    for _ in range(times):
        journal = LmdbJournal(path)
        journal.open([])
        journal.note(path_of(("Box", "a")))
        journal.close()
        async with Runtime(LmdbJournal(path), entities=VILLAGE):
            pass


async def test_an_operator_readmits_who_was_unlucky(tmp_path: Path) -> None:
    """Who was being activated at two deaths is a suspect until then, and whole afterwards."""
    await _blamed(tmp_path / "one", SUSPECT_TIMES)
    async with Runtime(LmdbJournal(tmp_path / "one"), entities=VILLAGE) as runtime:
        with pytest.raises(Suspect):
            await runtime.actor(Box, "a").query(Box.evidence)
        assert await readmit_innocents(runtime) == SUSPECT_TIMES
        assert (await runtime.actor(Box, "a").query(Box.evidence)).taken == {"me": [1, 1]}
        assert await readmit_innocents(runtime) == 0


def test_the_oracle_complains_where_nobody_has_died(tmp_path: Path) -> None:
    """The control: a runtime that blames an actor for deaths that never were is noticed."""
    journal = tmp_path / "one"
    trio.run(_blamed, journal, SUSPECT_TIMES)
    said = Said()
    said.hear(["send", "1", "me", "Box", "a", "put", 1, True, []])
    said.hear(["done", "1", None])
    assert verdict(journal, said, tmp_path, Limits()) == ["2 deaths are blamed on somebody, of 0"]
    for _ in range(SUSPECT_TIMES):
        said.hear(["mark", "opening"])
    assert not verdict(journal, said, tmp_path, Limits())
