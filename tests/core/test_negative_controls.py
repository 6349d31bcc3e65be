"""The proofs can fail: each planted mistake is caught by a trace that would otherwise pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from actorflow import Divergence
from actorflow._core import facts, once, replay, snapshot, step, turn
from tests.core import proof, test_traces_of_change, test_traces_of_messages

CAUGHT = (AssertionError, Divergence, pytest.fail.Exception)


def test_the_traces_pass_without_a_mistake() -> None:
    """What the controls below break holds as it is."""
    proof.undone_beside_an_open_handler()
    test_traces_of_messages.test_a_failure_after_a_suspension_is_an_outcome()
    test_traces_of_messages.test_trace_5_an_id_means_one_message_through_everything()
    test_traces_of_messages.test_trace_3_the_turn_that_ends_one_handler_stands_when_the_next_one_falls()
    test_traces_of_messages.test_trace_7_a_fire_that_was_overtaken_does_not_run()
    test_traces_of_change.test_trace_4_a_mended_bug_does_not_run_a_parked_signal()


def test_undoing_by_a_copy_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suspended handler holds the state that was copied away, so what it changes afterwards is lost."""
    saved: dict[str, Any] = {}
    start = turn.start

    def saving(actor: Any, *rest: Any) -> int:
        saved["state"] = copy.deepcopy(actor.state)
        saved["timers"] = dict(actor.timers)
        return start(actor, *rest)

    def copied_back(actor: Any) -> None:
        actor.state = saved["state"]
        actor.timers = saved["timers"]
        actor.begin(0)
        actor.ending = None

    monkeypatch.setattr(step, "start", saving)
    monkeypatch.setattr(step, "rebuild", copied_back)
    with pytest.raises(CAUGHT):
        proof.undone_beside_an_open_handler()


def test_a_snapshot_while_an_effect_is_pending_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is suspended is in no snapshot, so the tail behind one finds nobody who waits."""
    always: Callable[[Any], bool] = lambda _: True  # noqa: E731 - two places take the same answer
    monkeypatch.setattr(snapshot, "quiet", always)
    monkeypatch.setattr(proof, "quiet", always)
    with pytest.raises(CAUGHT):
        test_traces_of_messages.test_a_failure_after_a_suspension_is_an_outcome()


def test_a_stale_fire_that_runs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that was armed again completes the cart too early."""
    take = turn.take

    def eager(actor: Any, seq: int, input_: facts.Input, now: int) -> int:
        if input_.kind == facts.FIRE:
            handler = actor.spec.handlers[input_.name]
            actor.timers.pop((input_.name, input_.body), None)
            return turn.start(actor, seq, input_, handler, now)
        return take(actor, seq, input_, now)

    monkeypatch.setattr(step, "take", eager)
    monkeypatch.setattr(replay, "take", eager)
    with pytest.raises(CAUGHT):
        test_traces_of_messages.test_trace_7_a_fire_that_was_overtaken_does_not_run()


def test_a_parked_message_that_replay_runs_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its bug is mended it would take effect a second time, or for the first time too early."""
    monkeypatch.setattr(replay, "PARKED", 99)
    with pytest.raises(CAUGHT):
        test_traces_of_change.test_trace_4_a_mended_bug_does_not_run_a_parked_signal()


def test_forgetting_ids_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what ``once`` remembers a repeated id runs twice."""
    monkeypatch.setattr(once.Ids, "find", lambda *_: None)
    with pytest.raises(CAUGHT):
        test_traces_of_messages.test_trace_5_an_id_means_one_message_through_everything()


def test_effects_that_are_not_compared_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that looks at nothing lets changed code pass."""
    monkeypatch.setattr(replay, "_compare", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        test_traces_of_change.test_trace_13_a_changed_effect_diverges_and_says_where()
