"""The terms on which a life begins: what if there is one already, when main begins, how long it may last."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, cast

from actorflow._core.facts import Terms
from actorflow.errors import UsageError

from .waiting import microseconds

if TYPE_CHECKING:
    from actorflow._core.spec import Spec

__all__ = ["StartTerms", "terms"]


class StartTerms(TypedDict, total=False):
    """What may be said when a life is begun."""

    if_running: Literal["fail", "use"]
    """Whether one that runs is an error, or is what the caller wanted."""
    if_completed: Literal["new", "fail"]
    """Whether, after a life that has ended, another may begin under the key."""
    delay: timedelta | None
    """After so long main begins; messages are taken at once."""
    timeout: timedelta | None
    """So long the life may last: then it is ended as by a cancel, and its status is ``timed out``."""


ALLOWED: Final = {"if_running": ("fail", "use"), "if_completed": ("new", "fail")}


def terms(where: str, spec: Spec, said: StartTerms) -> Terms:
    """What was said, as the core takes it; raises what is wrong with it."""
    for name, value in cast("dict[str, Any]", said).items():
        if name not in StartTerms.__annotations__:
            known = ", ".join(f"{one}=" for one in StartTerms.__annotations__)
            raise UsageError(f"{where} does not know {name}=\n  hint: it takes {known}")
        if name in ALLOWED and value not in ALLOWED[name]:
            raise UsageError(f"{where} got {name}={value!r}\n  hint: one of {', '.join(ALLOWED[name])}")
    delay, timeout = said.get("delay"), said.get("timeout")
    if delay is not None and spec.main is None:
        raise UsageError(
            f"{where} got delay=, and {spec.name} has no main that could begin later\n"
            "  hint: what it does on messages happens when they come; let a timer do the rest"
        )
    return Terms(
        said.get("if_running", "fail"),
        said.get("if_completed", "fail"),
        None if delay is None else microseconds(delay, f"{where[:-1]}delay=)"),
        None if timeout is None else microseconds(timeout, f"{where[:-1]}timeout=)"),
    )
