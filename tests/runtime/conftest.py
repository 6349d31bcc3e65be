"""Settings that a proof turns, and that are put back behind it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from actorflow._runtime import checkpoint, post, residency, shelf

__all__ = ["Knobs"]


class Knobs:
    """The constants of the runtime that decide how often something is done, and must not decide what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._set = monkeypatch.setattr

    def sends(self, most: int) -> None:
        """So many sends are carried with one frame."""
        self._set(post, "SENDS_MAX", most)

    def slices(self, actors: int) -> None:
        """So many actors are put into the tables with one frame."""
        self._set(checkpoint, "SLICE_ACTORS", actors)

    def hurry(self, times: int) -> None:
        """By how much more than came with a frame may go with it, and how often the hand comes by it."""
        self._set(checkpoint, "MOST_FOR_EACH", times)
        self._set(residency, "HAND_PASSES", times)

    def queue(self, actors: int) -> None:
        """So many that wait to leave have more of them go with a frame."""
        self._set(checkpoint, "QUEUE_ACTORS", actors)

    def crowd(self, actors: int) -> None:
        """So many that came only to be asked are worth a frame with which others leave."""
        self._set(residency, "CROWD", actors)

    def within(self, share: float) -> None:
        """Of the log so much may fill again until a checkpoint is done."""
        self._set(checkpoint, "WITHIN", share)

    def forgets(self, frames: int) -> None:
        """So many frames are cut off with one frame."""
        self._set(checkpoint, "FORGET_FRAMES", frames)

    def behind(self, records: int) -> None:
        """Whoever closes a run with so many records that no table has is put there."""
        self._set(checkpoint, "BEHIND_RECORDS", records)

    def lag(self, microseconds: int) -> None:
        """So long the tables may lag behind."""
        self._set(checkpoint, "LAG_US", microseconds)

    def snapshots(self, least_bytes: int) -> None:
        """So many bytes of records are worth a snapshot."""
        self._set(shelf, "SNAPSHOT_BYTES_MIN", least_bytes)


@pytest.fixture
def knobs(monkeypatch: pytest.MonkeyPatch) -> Knobs:
    """What a test may turn."""
    return Knobs(monkeypatch)


@pytest.fixture(autouse=True)
def _quiet_log() -> Iterator[None]:
    """Actors that are set aside are told of by the hundred here; nobody wants to read it."""
    log = logging.getLogger("actorflow.runtime")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)
