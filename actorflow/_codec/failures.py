"""Errors as data: what is journaled of an exception, and the exception made of it again.

Never pickled, and no class is looked up by a name from the data: a caller gets back one of the few errors
of actorflow, and anything else as a ``HandlerFailed`` or ``ActivityFailed`` that names the type.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import attrs

from actorflow import errors
from actorflow._codec.extensions import pack, unpack
from actorflow.errors import Cancelled, DecodeError, HandlerFailed, Refused, WrongArgument

__all__ = ["Failure", "error_of", "failure", "pack_failure", "plain_details"]

MESSAGE_CHARACTERS: Final = 4_000
DETAILS_BYTES: Final = 16_384
OURS: Final[dict[str, type[errors.ActorflowError]]] = {
    "ActorCompleted": errors.ActorCompleted,
    "AlreadyStarted": errors.AlreadyStarted,
    "Deadlock": errors.Deadlock,
    "HistoryFull": errors.HistoryFull,
    "IdReused": errors.IdReused,
    "LimitExceeded": errors.LimitExceeded,
    "NotStarted": errors.NotStarted,
    "UnknownHandler": errors.UnknownHandler,
}
"""Errors that reach a caller as themselves, with their fields."""


class Failure(NamedTuple):
    """What is kept of an error."""

    how: str
    type: str
    message: str
    details: Any = None


def pack_failure(error: BaseException) -> bytes:
    """The bytes of an error."""
    return pack(list(_failure_of(error)))


def _failure_of(error: BaseException) -> Failure:
    name = type(error).__qualname__
    if isinstance(error, Refused):
        return Failure("refused", name, _text(error.reason), plain_details(error.details))
    if isinstance(error, Cancelled):
        return Failure("cancelled", name, _text(error))
    if OURS.get(name) is type(error):
        kind = cast("type[attrs.AttrsInstance]", type(error))
        fields = [plain_details(getattr(error, field.name)) for field in attrs.fields(kind)]
        return Failure("failed", f"actorflow.{name}", _text(error), fields)
    try:
        details = plain_details(getattr(error, "details", None))
    except Exception:  # noqa: BLE001 - a property of the author's that raises
        details = None
    return Failure("failed", name, _text(error), details)


def _text(thing: object) -> str:
    """The text of anything; of an error whose own text fails, too, for every failure has to be recorded."""
    try:
        text = thing if isinstance(thing, str) else str(thing)
    except Exception as problem:  # noqa: BLE001 - whatever its __str__ does
        text = f"<no text: {type(problem).__name__}>"
    return text[:MESSAGE_CHARACTERS].encode(errors="replace").decode()


def plain_details(details: Any) -> Any:
    """Details as plain data; what is not plain, or too much, is kept as its text."""
    if isinstance(details, tuple):
        details = list(cast("tuple[object, ...]", details))
    try:
        small = len(pack(details)) <= DETAILS_BYTES
    except WrongArgument:
        small = False
    return details if small else _text(_Shown(details))


class _Shown:
    """Something whose text is its representation."""

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __str__(self) -> str:
        return repr(self.thing)


def failure(body: bytes) -> Failure:
    """Read what is kept of an error."""
    plain = unpack(body) if body else ["failed", "Exception", "", None]
    match plain:
        case [str() as how, str() as type_, str() as message, details]:
            return Failure(how, type_, message, details)
        case _:
            raise DecodeError("failure", "it does not have the expected form")


def error_of(body: bytes, where: str) -> Exception:
    """The error that the caller of ``where`` gets."""
    how, type_, message, details = failure(body)
    if how == "refused":
        return Refused(message, details)
    if how == "cancelled":
        # Not a Cancelled: that is the state of a scope, and the caller's own scope is not cancelled.
        return HandlerFailed(where, "Cancelled", message or "it was cancelled")
    ours = OURS.get(type_.removeprefix("actorflow."))
    if ours is not None and type_.startswith("actorflow."):
        fields = [
            tuple(cast("list[object]", value)) if isinstance(value, list) else value for value in details
        ]
        return ours(*fields)
    return HandlerFailed(where, type_, message, details)
