"""Values to bytes and back: schemas of types, codecs of functions, plain values, bytes from outside."""

from __future__ import annotations

from actorflow._codec.arguments import Arguments, arguments, positional
from actorflow._codec.extensions import Plain, pack, unpack
from actorflow._codec.schema import Schema, schema
from actorflow._codec.untrusted import decode as decode_untrusted

__all__ = [
    "Arguments",
    "Plain",
    "Schema",
    "arguments",
    "decode_untrusted",
    "pack",
    "positional",
    "schema",
    "unpack",
]
