"""What the core knows of an entity: its handlers and codecs, built when the class is defined.

The core calls these functions and never asks what is behind them, so a spec made by hand, without a class
or msgpack, drives the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Protocol

from attrs import define, field, frozen

from actorflow.limits import Limits

from .facts import Record

__all__ = ["Codec", "Handler", "Spec"]

FINGERPRINT_BYTES = 16


@frozen(eq=False)
class Handler:
    """One handler of an entity."""

    name: str
    """The stable name, as stored."""
    kind: int
    """``SIGNAL``, ``UPDATE``, ``FIRE`` or ``MAIN``; 0 for a query."""
    function: Callable[..., Any]
    decode: Callable[[bytes], tuple[Any, ...]]
    encode: Callable[[tuple[Any, ...], dict[str, Any]], bytes]
    answer: Callable[[Any], bytes]
    """Encodes what the handler returns."""
    suspends: bool = False
    """An ``async def``: may suspend."""
    interleave: bool = False
    """May start while another handler is suspended."""
    stops: bool = False
    """A failure holds the mailbox until an operator has dealt with it."""
    restartable: bool = False
    """A main that may start again from the top on a snapshot."""
    aliases: tuple[str, ...] = ()
    validator: Callable[..., None] | None = None
    where: str = ""
    """How errors name it."""


class Codec(Protocol):
    """How the core's own values become bytes; pure."""

    def pack_record(self, record: tuple[Any, ...], /) -> bytes: ...
    def unpack_record(self, data: bytes, /) -> Record: ...
    def pack_failure(self, error: BaseException, /) -> bytes: ...
    def digest(self, data: bytes, /) -> bytes: ...
    def pack(self, value: Any, /) -> bytes: ...
    def unpack(self, data: bytes, /) -> Any: ...


@define(eq=False)
class Spec:
    """An entity as the core sees it."""

    name: str
    cls: type[Any]
    handlers: Mapping[str, Handler]
    """By every name they go by, aliases included."""
    main: Handler | None
    new: Callable[[], Any] | None
    """Makes the initial state of a life begun by a message; none where fields have no default."""
    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]
    codec: Codec
    code: bytes = b""
    """The fingerprint of the handlers, the schema and the core."""
    limits: Limits = field(factory=Limits)
    limited: bool = False
    """Whether the entity says so itself; otherwise its host may set others."""
    required: tuple[str, ...] = ()
    """Fields without a default, for the error that says so."""
    interleaves: bool = False
    """Whether any handler may come between."""

    fingerprint: bytes = field(init=False)
    """Of the code and the limits: they shape what handlers are given, so others are other code."""

    def __attrs_post_init__(self) -> None:
        """Put the fingerprint together."""
        shape = repr(self.limits.shaping()).encode()
        self.fingerprint = blake2b(shape, key=self.code, digest_size=FINGERPRINT_BYTES).digest()

    def handler_names(self, kind: int) -> tuple[str, ...]:
        """The names to offer when one is not found."""
        return tuple(dict.fromkeys(h.name for h in self.handlers.values() if h.kind == kind))
