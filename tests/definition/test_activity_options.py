"""How an activity is to be run is checked where it is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actorflow import Breaker, DefinitionError, RetryPolicy, activity

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("start_to_close", timedelta(0)),
        ("start_to_close", None),
        ("start_to_close", 5),
        ("start_to_close", timedelta.max),
        ("schedule_to_close", -SECOND),
        ("schedule_to_start", 1.5),
        ("heartbeat", timedelta.max),
        ("retry", 3),
        ("concurrency", 0),
        ("rate", 0),
        ("rate", float("nan")),
        ("breaker", 5),
        ("on_cancel", "run"),
        ("nonsense", 1),
    ],
)
def test_an_option_that_cannot_work_is_refused(option: str, value: Any) -> None:
    """By the decorator and by ``options()``, at the line that says it."""
    options: dict[str, Any] = {option: value}
    with pytest.raises((DefinitionError, TypeError, ValueError)):
        activity(**options)

    @activity
    async def job() -> None: ...

    with pytest.raises(DefinitionError):
        job.options(**options)


@pytest.mark.parametrize(
    "values",
    [
        {"non_retryable": "ValueError"},
        {"non_retryable": (ValueError,)},
        {"maximum_attempts": 0},
        {"maximum_interval": timedelta.max},
        {"initial_interval": 1},
        {"backoff_coefficient": 0.5},
        {"backoff_coefficient": float("nan")},
    ],
)
def test_a_policy_that_cannot_work_is_refused(values: dict[str, Any]) -> None:
    """A single name in place of several would else be taken letter by letter."""
    with pytest.raises((DefinitionError, TypeError, ValueError)):
        RetryPolicy(**values)


@pytest.mark.parametrize("values", [{"failures": 0}, {"pause": timedelta(0)}, {"pause": None}])
def test_a_breaker_that_cannot_work_is_refused(values: dict[str, Any]) -> None:
    """The same for what breaks a circuit."""
    with pytest.raises((DefinitionError, TypeError, ValueError)):
        Breaker(**values)


def test_options_override_and_leave_the_original_as_it_is() -> None:
    """What is said last counts, call by call; nothing is said twice."""

    @activity(start_to_close=5 * SECOND, rate=3)
    async def job() -> None: ...

    patient = job.options(start_to_close=50 * SECOND).options(on_cancel="abandon")
    assert job.effective.start_to_close == 5 * SECOND
    assert (patient.effective.start_to_close, patient.effective.rate) == (50 * SECOND, 3)
    assert patient.effective.on_cancel == "abandon"
    assert patient.options(rate=None).effective.rate is None
    assert patient.function is job.function
