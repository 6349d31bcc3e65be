"""Records and snapshots of the core as bytes and back: the codec that is handed to the core.

Packing takes named tuples as they are; reading checks every part, for a journal may be damaged in ways that
a checksum does not see, and answers with one ``DecodeError``.
"""

from __future__ import annotations

import zlib
from hashlib import blake2b
from typing import Any, Final, cast

from msgpack import Packer, unpackb

from actorflow._codec.failures import pack_failure
from actorflow._core import facts
from actorflow._core.facts import EFFECTS, KINDS, OUTCOMES, Effect, Input, Record
from actorflow.errors import DecodeError

__all__ = ["RecordCodec", "seal", "unseal"]

DIGEST_BYTES: Final = 16
CRC_BYTES: Final = 4
_pack: Final = Packer(autoreset=True).pack


class RecordCodec:
    """The core's values as msgpack."""

    pack_record = staticmethod(_pack)
    """Named tuples are packed as they are; a wrapper around this would take a third of its time."""
    pack = staticmethod(_pack)

    def unpack_record(self, data: bytes, /) -> Record:
        plain = self.unpack(data)
        try:
            seq, now, outcome, input_, effects, extra = plain
            record = Record(
                _whole(seq),
                _whole(now),
                _whole(outcome),
                None if input_ is None else _input(input_),
                [_effect(effect) for effect in effects],
                _extra(extra),
            )
        except (TypeError, ValueError, KeyError) as error:
            raise DecodeError("record", f"it does not have the expected form: {error}") from error
        if record.outcome not in OUTCOMES or (record.outcome == facts.ADMITTED and record.input is None):
            raise DecodeError("record", f"its outcome is {record.outcome}")
        return record

    def pack_failure(self, error: BaseException, /) -> bytes:
        return pack_failure(error)

    def digest(self, data: bytes, /) -> bytes:
        return blake2b(data, digest_size=DIGEST_BYTES).digest()

    def unpack(self, data: bytes, /) -> Any:
        try:
            return unpackb(data, use_list=False, strict_map_key=False)
        # msgpack spreads its failures over nine types of exception, and every one means the same here.
        except Exception as error:
            raise DecodeError(
                "journal", f"the bytes cannot be read ({str(error) or type(error).__name__})"
            ) from error


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a number from 0 up")
    return value


def _input(plain: Any) -> Input:
    input_ = Input(*plain)
    kind, name, body, id_, ref, sender, options = cast("tuple[object, ...]", input_)
    if (
        kind not in KINDS
        or type(name) is not str
        or type(body) is not bytes
        or not isinstance(id_, str | None)
        or not isinstance(ref, tuple | None)
        or not isinstance(sender, tuple | None)
        or not isinstance(options, tuple | None)
    ):
        raise ValueError(f"{plain!r} is not an input")
    return input_


def _effect(plain: Any) -> Effect:
    return cast("Effect", EFFECTS[plain[0]](*plain))


def _extra(plain: Any) -> dict[str, Any] | None:
    if plain is not None and type(plain) is not dict:
        raise ValueError(f"{plain!r} is not a map")
    return cast("dict[str, Any] | None", plain)


def seal(data: bytes) -> bytes:
    """Bytes with a checksum in front, for what is kept by itself."""
    return zlib.crc32(data).to_bytes(CRC_BYTES, "big") + data


def unseal(sealed: bytes, where: str) -> bytes:
    """The bytes behind a checksum that holds."""
    data = sealed[CRC_BYTES:]
    if zlib.crc32(data).to_bytes(CRC_BYTES, "big") != sealed[:CRC_BYTES]:
        raise DecodeError(where, "its checksum does not hold: the bytes are damaged")
    return data
