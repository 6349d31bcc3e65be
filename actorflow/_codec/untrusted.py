"""Bytes from outside: counted and measured before anything is built from them.

msgpack itself accepts a thousand levels, takes the last of two equal keys, and makes 74 MB of 1 MB of
empty maps.  So the structure is walked first, without recursion and without building; what passes is
small, shallow and complete, and only then handed to msgpack.  Every failure is one ``DecodeError``.
"""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen
from msgpack import unpackb

from actorflow._codec.extensions import EXTENSION_CODES, Plain, load_extension
from actorflow.errors import DecodeError

__all__ = ["decode"]

_KEY, _SCALAR, _EXTENSION, _ARRAY, _MAP, _NEVER = range(6)


@frozen
class _Head:
    """What the first byte of an item announces; a key is a scalar that may be the key of a map."""

    kind: int
    length_bytes: int = 0
    """How many bytes of length follow; 0: the length is in the first byte itself."""
    length: int = 0
    """Of the content: bytes, items or pairs."""


def _heads() -> list[_Head]:
    """List what the 256 first bytes announce, in the order of the specification."""
    return [
        *[_Head(_KEY)] * 0x80,  # 00: small integers
        *[_Head(_MAP, length=pairs) for pairs in range(16)],  # 80
        *[_Head(_ARRAY, length=items) for items in range(16)],  # 90
        *[_Head(_KEY, length=size) for size in range(32)],  # a0: short texts
        *[_Head(_SCALAR), _Head(_NEVER), _Head(_SCALAR), _Head(_SCALAR)],  # c0: nil, nothing, false, true
        *[_Head(_KEY, length_bytes=width) for width in (1, 2, 4)],  # c4: bytes
        *[_Head(_EXTENSION, length_bytes=width) for width in (1, 2, 4)],  # c7
        *[_Head(_SCALAR, length=size) for size in (4, 8)],  # ca: floats
        *[_Head(_KEY, length=size) for size in (1, 2, 4, 8)] * 2,  # cc: integers, without and with sign
        *[_Head(_EXTENSION, length=size) for size in (1, 2, 4, 8, 16)],  # d4
        *[_Head(_KEY, length_bytes=width) for width in (1, 2, 4)],  # d9: texts
        *[_Head(_ARRAY, length_bytes=width) for width in (2, 4)],  # dc
        *[_Head(_MAP, length_bytes=width) for width in (2, 4)],  # de
        *[_Head(_KEY)] * 0x20,  # e0: small negative integers
    ]


_HEADS: Final = _heads()
assert len(_HEADS) == 1 << 8, "one for each first byte"


def decode(
    data: bytes,
    *,
    where: str,
    bytes_max: int = 1 << 20,
    depth_max: int = 32,
    count_max: int = 100_000,
) -> Plain:
    """Give the plain value of bytes that anybody may have sent; keys of maps are str, bytes or int."""
    if len(data) > bytes_max:
        raise DecodeError(where, f"{len(data)} bytes are more than the {bytes_max} allowed")
    fault = _scan(data, depth_max, count_max)
    if fault is not None:
        raise DecodeError(where, fault)
    try:
        return unpackb(data, ext_hook=load_extension, object_pairs_hook=_distinct, strict_map_key=False)
    # What is left is the inside of texts and extensions, and keys written twice: all ValueErrors.
    except ValueError as problem:
        raise DecodeError(where, f"the bytes cannot be read ({problem})") from problem


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a map has the same key twice")
    return found


def _scan(data: bytes, depth_max: int, count_max: int) -> str | None:
    """Say what is wrong with the structure, or None.  Memory: two small lists as long as the depth."""
    end = len(data)
    position = count = 0
    left = [1]  # items still to come, at each level we are in
    pairs = [False]  # whether that level is a map; then an even number left means a key comes next
    while True:
        while not left[-1]:
            left.pop()
            pairs.pop()
            if not left:
                return None if position == end else f"{end - position} bytes follow the value"
        if position >= end:
            return "the bytes end too early"
        head = _HEADS[data[position]]
        if pairs[-1] and left[-1] % 2 == 0 and head.kind != _KEY:
            return f"byte {position}: the key of a map is neither text, bytes nor an integer"
        count += 1
        if count > count_max:
            return f"more than the {count_max} items allowed"
        left[-1] -= 1
        start = position + 1 + head.length_bytes
        length = int.from_bytes(data[position + 1 : start], "big") if head.length_bytes else head.length
        if head.kind == _NEVER:
            return f"byte {position}: 0xc1 begins nothing"
        if head.kind == _MAP:
            length *= 2
        if head.kind == _EXTENSION:
            if start < end and data[start] not in EXTENSION_CODES:
                return f"byte {position}: extension {data[start]} is unknown"
            start += 1
        # An item has one byte at least, so this holds for containers too, and a header cannot lie big.
        if length > end - start:
            return f"byte {position}: announces more than there is"
        position = start
        if head.kind in (_ARRAY, _MAP):
            if len(left) > depth_max:
                return f"nested deeper than the {depth_max} levels allowed"
            left.append(length)
            pairs.append(head.kind == _MAP)
        else:
            position += length
