"""Errors as data: what is journaled of an exception, and the exception made of it again.

Never pickled, and no class is looked up by a name from the data: a caller gets back one of the few errors
of actorflow, and anything else as a ``HandlerFailed`` or ``ActivityFailed`` that names the type.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import attrs

from actorflow import errors
from actorflow._codec.extensions import pack, unpack
from actorflow.errors import Cancelled, DecodeError, HandlerFailed, Refused, WrongArgument

__all__ = ["Failure", "error_of", "failure", "pack_failure", "plain_details"]

MESSAGE_CHARACTERS: Final = 4_000
OURS: Final = {
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
        return Failure("refused", name, error.reason[:MESSAGE_CHARACTERS], plain_details(error.details))
    if isinstance(error, Cancelled):
        return Failure("cancelled", name, str(error)[:MESSAGE_CHARACTERS])
    if OURS.get(name) is type(error):
        fields = [plain_details(getattr(error, field.name)) for field in attrs.fields(type(error))]
        return Failure("failed", f"actorflow.{name}", str(error)[:MESSAGE_CHARACTERS], fields)
    details = plain_details(getattr(error, "details", None))
    return Failure("failed", name, str(error)[:MESSAGE_CHARACTERS], details)


def plain_details(details: Any) -> Any:
    """Details as plain data; what is not plain is kept as its text."""
    if isinstance(details, tuple):
        details = list(details)
    try:
        pack(details)
    except WrongArgument:
        return repr(details)
    return details


def failure(body: bytes) -> Failure:
    """Read what is kept of an error."""
    plain = unpack(body) if body else ["failed", "Exception", "", None]
    match plain:
        case [str() as how, str() as type_, str() as message, details]:
            return Failure(how, type_, message, details)
        case _:
            raise DecodeError("failure", "it does not have the expected form")


def error_of(body: bytes, where: str) -> BaseException:
    """The error that the caller of ``where`` gets."""
    how, type_, message, details = failure(body)
    if how == "refused":
        return Refused(message, details)
    if how == "cancelled":
        return Cancelled(message or f"{where} was cancelled")
    ours = OURS.get(type_.removeprefix("actorflow."))
    if ours is not None and type_.startswith("actorflow."):
        fields = [tuple(value) if isinstance(value, list) else value for value in details]
        return ours(*fields)
    return HandlerFailed(where, type_, message, details)
