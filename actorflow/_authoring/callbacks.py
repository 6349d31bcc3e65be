"""Callbacks: somebody outside will answer, by a token that names the effect and cannot be guessed."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Generator
from datetime import timedelta
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from actorflow._codec import decode_untrusted, pack, schema
from actorflow._codec.failures import failure, pack_failure
from actorflow._core.ambient import ambient, last_breath, writing
from actorflow._core.facts import AWAIT, CANCELLED, FAILED, OK, TIMED_OUT, Await
from actorflow._core.pending import read_safely
from actorflow.errors import BadToken, CallbackFailed, DecodeError, UsageError

from .ending import pack_result
from .waiting import microseconds

if TYPE_CHECKING:
    from actorflow._core.facts import Ref

__all__ = ["Callback", "Token", "callback", "key_of", "once_of", "read_token", "see_opens", "token_of"]

T = TypeVar("T")
SEAL_BYTES = 12
KEY_BYTES = 16
TOKEN_CHARACTERS_MAX = 1_000


class Token(NamedTuple):
    """What a token says: which effect of which actor, and the proof that it was handed out."""

    entity: str
    key: str
    ref: Ref
    seal: bytes
    attempt: int = 0
    """Of an activity; a callback has none."""


def _seal(nonce: bytes, ref: Ref, attempt: int) -> bytes:
    place = b"".join(number.to_bytes(8, "big") for number in (*ref, attempt))
    return blake2b(place, key=nonce, digest_size=SEAL_BYTES, person=b"callback").digest()


def token_of(entity: str, key: str, nonce: bytes, ref: Ref, attempt: int = 0) -> str:
    """The token of an effect."""
    plain = pack([entity, key, *ref, _seal(nonce, ref, attempt), attempt])
    return urlsafe_b64encode(plain).rstrip(b"=").decode()


def key_of(nonce: bytes, ref: Ref) -> str:
    """What an activity is known by to the other side: the same in every attempt, in no other life."""
    place = ref[0].to_bytes(8, "big") + ref[1].to_bytes(8, "big")
    return blake2b(place, key=nonce, digest_size=KEY_BYTES, person=b"activity").hexdigest()


def read_token(token: str) -> Token:
    """What a token says; whether it was really handed out, ``opens`` tells."""
    wrong = BadToken(token, "it was not made by a callback")
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise wrong
    try:
        plain = decode_untrusted(urlsafe_b64decode(token + "=" * (-len(token) % 4)), where="token")
    except (DecodeError, ValueError):
        raise wrong from None
    match plain:
        case [
            str() as entity,
            str() as key,
            int() as seq,
            int() as position,
            bytes() as seal,
            int() as attempt,
        ] if all(0 <= number < 1 << 63 for number in (seq, position, attempt)):
            return Token(entity, key, (seq, position), seal, attempt)
        case _:
            raise wrong


def see_opens(token: str, read: Token, nonce: bytes) -> None:
    """Raise unless the token was handed out in the life with this nonce."""
    if not compare_digest(read.seal, _seal(nonce, read.ref, read.attempt)):
        raise BadToken(token, f"it was not handed out by this life of {read.entity} {read.key!r}")


def once_of(read: Token, value: object, error: BaseException | None) -> str:
    """The once-id of an answer: the same answer to the same token has the same, and no message has it.

    What was expected is forgotten with the promise, so it is told from the value alone.
    """
    answer = pack_result(value) if error is None else pack_failure(error)
    how = OK if error is None else FAILED
    seal = blake2b(answer, digest_size=KEY_BYTES, key=how.encode()).hexdigest()
    return f"\0answer {read.ref[0]}.{read.ref[1]}.{read.attempt} {seal}"


class Callback(Generic[T]):
    """An answer that is awaited from outside; it may come before it is awaited."""

    __slots__ = ("_actor", "_promise", "_read", "token")

    def __init__(self, type_: Any, timeout: timedelta | None) -> None:
        actor = writing("callback()")
        form = schema(type_, "callback()")
        due = None if timeout is None else actor.now + microseconds(timeout, "callback(timeout=)")

        def read(how: str, body: bytes) -> tuple[Any, BaseException | None]:
            if how == OK:
                return form.decode(body), None
            if how == TIMED_OUT:
                return None, TimeoutError("nobody answered the callback in time")
            if how == CANCELLED:
                return None, CallbackFailed("Cancelled", "it was cancelled from outside")
            _, name, message, details = failure(body)
            return None, CallbackFailed(name, message, details)

        self._actor = actor
        self._read = read
        self._promise = actor.promise(Await(AWAIT, due, form.name), form)
        self.token = token_of(*actor.address, actor.nonce, self._promise.ref)
        """To hand out: whoever has it can answer, once."""

    def __await__(self) -> Generator[Any, None, T]:
        if ambient.dying:
            yield from last_breath()
        actor = writing("callback()")
        if actor is not self._actor or self._promise.open.seq not in actor.open:
            raise UsageError("a callback is awaited by the handler that made it")
        yield from self._promise.subscribe().__await__()
        value, error = read_safely(self._read, self._promise.how, self._promise.body, "a callback")
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # read by the schema of T


def callback(type_: type[T], *, timeout: timedelta | None) -> Callback[T]:
    """Expect an answer of this type from outside; raises ``TimeoutError`` if it does not come in time."""
    return Callback(type_, timeout)
