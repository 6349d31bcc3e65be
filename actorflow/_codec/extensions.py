"""Plain values and their bytes: msgpack, and six types that msgpack lacks.

A plain value is what anybody can read without our classes: None, bool, int, float, str, bytes, lists and
dicts of these, and the six extension types.  The registry is closed: a code that is not in it is an error.
Each value has one form, so that equal values are equal bytes and digests can be compared.

Knows nothing of schemas.  Nothing is imported or looked up by a name found in the data.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import MAX_PREC, Context, Decimal, InvalidOperation
from typing import Any, Final, TypeAlias, TypeGuard
from uuid import UUID

from msgpack import ExtType, Packer, UnpackException, unpackb

from actorflow.errors import DecodeError, WrongArgument

__all__ = [
    "EXTENSION_CODES",
    "EXTENSION_TYPES",
    "Plain",
    "extend",
    "is_dict",
    "is_list",
    "is_tuple",
    "load_extension",
    "pack",
    "unpack",
]

Plain: TypeAlias = Any
"""A value without classes.  ``Any``, because every reader checks for itself what it was given."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_LOCAL: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock to which an offset is added
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000
_STAMP_BYTES: Final = 8
_OFFSET_BYTES: Final = 5  # of microseconds, which may be up to a day either way, and more than 32 bits
_DATE_BYTES: Final = 4

# The text of a Decimal depends on the capitals of the caller's context; ours is fixed.
_DECIMAL: Final = Context(prec=MAX_PREC, capitals=1)


def pack(plain: Plain, where: str = "value") -> bytes:
    """Give the one form of a plain value; a subclass, a tuple or anything unknown is refused."""
    try:
        # A new packer each time takes 60 ns more than a shared one (122 to 66), and is safe in threads.
        data: bytes = Packer(default=extend, strict_types=True).pack(plain)
    except WrongArgument as problem:
        raise WrongArgument(where, problem.what, problem.hint) from None
    except UnicodeEncodeError:
        raise WrongArgument(
            where, "holds half of a surrogate pair, which is not text", "keep bytes"
        ) from None
    except (RecursionError, ValueError):
        raise WrongArgument(where, "is nested too deeply, or contains itself") from None
    return data


def unpack(data: bytes, where: str = "value") -> Plain:
    """Give the plain value of bytes of our own; ``decode_untrusted`` is for those of others."""
    try:
        return unpackb(data, ext_hook=load_extension, strict_map_key=False)
    # All that msgpack raises about its input; a MemoryError, say, is not the fault of the bytes.
    except (ValueError, TypeError, OverflowError, RecursionError, UnpackException) as problem:
        reason = str(problem) or type(problem).__name__
        raise DecodeError(where, f"the bytes cannot be read ({reason})") from problem


def is_list(plain: object) -> TypeGuard[list[Any]]:
    """Whether this is an array, and no subclass."""
    return type(plain) is list


def is_tuple(plain: object) -> TypeGuard[tuple[Any, ...]]:
    """The same for an array that was read as what cannot be changed."""
    return type(plain) is tuple


def is_dict(plain: object) -> TypeGuard[dict[Any, Any]]:
    """Whether this is a map, and no subclass."""
    return type(plain) is dict


def extend(value: object) -> ExtType:
    """Write what msgpack does not know: its ``default``."""
    if (found := _WRITERS.get(type(value))) is not None:
        code, write = found
        return ExtType(code, write(value))
    if type(value) is int:
        raise WrongArgument("value", "does not fit into 64 bits", "declare it as Decimal or str")
    raise WrongArgument("value", f"{type(value).__name__} has no plain form")


def load_extension(code: int, payload: bytes) -> Plain:
    """Read what ``extend`` wrote: the ``ext_hook`` of msgpack.  Raises nothing but ``ValueError``."""
    if (read := _READERS.get(code)) is None:
        raise ValueError(f"extension {code} is unknown")
    try:
        return read(payload)
    except (ValueError, OverflowError, InvalidOperation) as problem:
        raise ValueError(f"extension {code} is malformed") from problem


# ---- the six ---------------------------------------------------------------------------------------------


def _write_signed(number: int) -> bytes:
    return number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, "big", signed=True)


def _read_signed(payload: bytes) -> int:
    number = int.from_bytes(payload, "big", signed=True)
    _expect(_write_signed(number) == payload)
    return number


def _expect(canonical: bool) -> None:  # noqa: FBT001 - reads as an assertion, but is about data
    if not canonical:
        raise ValueError("not the form we write")


def _write_offset(offset: timedelta) -> bytes:
    return (offset // _MICROSECOND).to_bytes(_OFFSET_BYTES, "big", signed=True)


def _read_offset(payload: bytes) -> timedelta:
    _expect(len(payload) == _OFFSET_BYTES)
    return timedelta(microseconds=int.from_bytes(payload, "big", signed=True))


def _write_datetime(value: datetime) -> bytes:
    """UTC as 8 bytes of microseconds, and the offset if it is not zero."""
    offset = value.utcoffset()
    if offset is None:
        hint = "take now(), or say which zone it is in: value.replace(tzinfo=timezone.utc)"
        raise WrongArgument("value", "has no time zone", hint)
    stamp = ((value - _EPOCH) // _MICROSECOND).to_bytes(_STAMP_BYTES, "big", signed=True)
    return stamp + _write_offset(offset) if offset else stamp


def _read_datetime(payload: bytes) -> datetime:
    since = timedelta(microseconds=int.from_bytes(payload[:_STAMP_BYTES], "big", signed=True))
    if len(payload) == _STAMP_BYTES:
        return _EPOCH + since
    offset = _read_offset(payload[_STAMP_BYTES:])
    _expect(bool(offset))
    # By way of the wall clock, because near the years 1 and 9999 UTC itself may be out of range.
    return (_EPOCH_LOCAL + (since + offset)).replace(tzinfo=timezone(offset))


def _write_date(value: date) -> bytes:
    return value.toordinal().to_bytes(_DATE_BYTES, "big")


def _read_date(payload: bytes) -> date:
    _expect(len(payload) == _DATE_BYTES)
    return date.fromordinal(int.from_bytes(payload, "big"))


def _write_time(value: time) -> bytes:
    """Microseconds since midnight, and the offset if there is one: a naive time is not one of UTC."""
    if value.fold:
        raise WrongArgument(
            "value", "has fold=1, which means nothing without a date", "value.replace(fold=0)"
        )
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    clock = (seconds * 1_000_000 + value.microsecond).to_bytes(_OFFSET_BYTES, "big")
    if value.tzinfo is None:
        return clock
    offset = value.utcoffset() if type(value.tzinfo) is timezone else None
    if offset is None:
        hint = (
            "the offset of such a zone depends on the date: keep a datetime, or the time and the zone's name"
        )
        raise WrongArgument("value", "has a time zone without a fixed offset", hint)
    return clock + _write_offset(offset)


def _read_time(payload: bytes) -> time:
    micros = int.from_bytes(payload[:_OFFSET_BYTES], "big")
    _expect(len(payload) >= _OFFSET_BYTES and micros < _DAY_US)
    clock = (_EPOCH_LOCAL + timedelta(microseconds=micros)).time()
    if len(payload) == _OFFSET_BYTES:
        return clock
    return clock.replace(tzinfo=timezone(_read_offset(payload[_OFFSET_BYTES:])))


def _write_timedelta(value: timedelta) -> bytes:
    return _write_signed(value // _MICROSECOND)


def _read_timedelta(payload: bytes) -> timedelta:
    return timedelta(microseconds=_read_signed(payload))


def _write_decimal(value: Decimal) -> bytes:
    if value.is_snan():
        raise WrongArgument("value", "is a signalling NaN, which cannot be compared with anything")
    return _DECIMAL.to_sci_string(value).encode("ascii")


def _read_decimal(payload: bytes) -> Decimal:
    value = Decimal(payload.decode("ascii"))
    # Decimal reads "1_0", " 1" and "1e1" as well.
    _expect(not value.is_snan() and _write_decimal(value) == payload)
    return value


def _write_uuid(value: UUID) -> bytes:
    return value.bytes


def _read_uuid(payload: bytes) -> UUID:
    return UUID(bytes=payload)


_WRITERS: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    datetime: (1, _write_datetime),
    date: (2, _write_date),
    time: (3, _write_time),
    timedelta: (4, _write_timedelta),
    Decimal: (5, _write_decimal),
    UUID: (6, _write_uuid),
}
_READERS: Final[dict[int, Callable[[bytes], Plain]]] = {
    1: _read_datetime,
    2: _read_date,
    3: _read_time,
    4: _read_timedelta,
    5: _read_decimal,
    6: _read_uuid,
}
EXTENSION_TYPES: Final = tuple(_WRITERS)
EXTENSION_CODES: Final = frozenset(_READERS)
