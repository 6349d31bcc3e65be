"""How an activity is run: time-outs, retries, bounds.  Plain values, checked when they are made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, Literal, TypedDict

import attrs
from attrs import field, frozen
from attrs.validators import deep_iterable, ge, gt, in_, instance_of, optional

from actorflow.errors import DefinitionError

__all__ = ["Batching", "Breaker", "Choices", "Options", "RetryPolicy", "plain_options"]

LONGEST: Final = timedelta(days=365_000)
START_TO_CLOSE: Final = timedelta(seconds=60)
MILLISECOND: Final = timedelta(milliseconds=1)


def _positive(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None and attribute.default is None:
        return
    if not isinstance(value, timedelta):
        raise DefinitionError(
            f"{attribute.name}={value!r}", "it has to be a timedelta", "timedelta(seconds=...)"
        )
    if not timedelta(0) < value <= LONGEST:
        raise DefinitionError(
            f"{attribute.name}={value}", "a duration is longer than nothing, up to 1000 years"
        )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise DefinitionError(f"non_retryable={names!r}", "it takes several names", f"write ({names!r},)")
    return tuple(names)


@frozen(kw_only=True)
class RetryPolicy:
    """How often and after which pauses a failed attempt is repeated."""

    initial_interval: timedelta = field(default=timedelta(seconds=1), validator=_positive)
    backoff_coefficient: float = field(default=2.0, validator=ge(1))
    maximum_interval: timedelta = field(default=timedelta(seconds=100), validator=_positive)
    maximum_attempts: int = field(default=10, validator=gt(0))
    non_retryable: tuple[str, ...] = field(
        default=(), converter=_names, validator=deep_iterable(instance_of(str))
    )
    """Names of error types that no further attempt would mend."""


@frozen(kw_only=True)
class Breaker:
    """When to leave a dependency alone that is down: its activities wait, and one at a time tries."""

    failures: int = field(default=5, validator=gt(0))
    """So many failed attempts in a row break the circuit; an ``Unavailable`` does at once."""
    pause: timedelta = field(default=timedelta(seconds=30), validator=_positive)
    """After which one attempt may try."""


@frozen(kw_only=True)
class Options:
    """How an activity is run; there is always a time-out, also when nobody sets one."""

    start_to_close: timedelta = field(default=START_TO_CLOSE, validator=_positive)
    """How long one attempt may take."""
    schedule_to_close: timedelta | None = field(default=None, validator=_positive)
    """How long all attempts together may take."""
    schedule_to_start: timedelta | None = field(default=None, validator=_positive)
    """How long an attempt may wait for its turn."""
    heartbeat: timedelta | None = field(default=None, validator=_positive)
    """How long an attempt may be silent."""
    retry: RetryPolicy = field(factory=RetryPolicy, validator=instance_of(RetryPolicy))
    concurrency: int | None = field(default=None, validator=optional(gt(0)))
    """How many attempts may run at a time in one runtime."""
    rate: float | None = field(default=None, validator=optional(gt(0)))
    """How many attempts may begin in a second."""
    breaker: Breaker | None = field(default=None, validator=optional(instance_of(Breaker)))
    """When to leave alone what it depends on."""
    on_cancel: Literal["wait", "abandon"] = field(default="wait", validator=in_(("wait", "abandon")))
    """Whether cancelling waits until the running attempt has ended."""


class Choices(TypedDict, total=False):
    """The same, as somebody writes them: those that are to differ."""

    start_to_close: timedelta
    schedule_to_close: timedelta | None
    schedule_to_start: timedelta | None
    heartbeat: timedelta | None
    retry: RetryPolicy
    concurrency: int | None
    rate: float | None
    breaker: Breaker | None
    on_cancel: Literal["wait", "abandon"]


@frozen
class Batching:
    """How many small calls become one."""

    at_most: int = field(validator=gt(0))
    within: timedelta = field(validator=_positive)


def plain_options(overrides: tuple[tuple[str, Any], ...]) -> tuple[Any, ...] | None:
    """Overrides as the journal keeps them."""
    return tuple((name, _plain_option(value)) for name, value in overrides) or None


def _plain_option(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, RetryPolicy | Breaker):
        return tuple(_plain_option(one) for one in attrs.astuple(value, recurse=False))
    return value
