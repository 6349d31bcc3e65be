"""What may be a name, a key or an id: short, printable, in one form.  Knows nothing of who asks."""

from __future__ import annotations

import unicodedata
from typing import Final

from actorflow.errors import BadKey, DefinitionError

__all__ = ["check_key", "check_name"]

KEY_BYTES: Final = 200


def check_key(key: str) -> str:
    """The key or id itself, if it can be one."""
    if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise BadKey(key, f"it is of type {type(key).__name__}, not str")
    problem = _problem(key)
    if problem:
        raise BadKey(key, problem)
    return key


def check_name(name: str, where: str) -> str:
    """The stable name of an entity, a handler or an activity, if it can be one."""
    problem = _problem(name)
    if name.startswith("("):
        problem = "it begins with a parenthesis, as only names of the house do"
    if problem:
        raise DefinitionError(where, f"{name!r} cannot be a stored name: {problem}")
    return name


def _problem(text: str) -> str:
    plain = 0 < len(text) <= KEY_BYTES and text.isascii() and text.isprintable()
    if plain and text[0] != " " != text[-1]:
        return ""  # nearly all of them, in a tenth of the time
    if not text:
        return "it is empty"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "it holds half of a surrogate pair"
    if size > KEY_BYTES:
        return f"it has {size} bytes"
    if text != text.strip():
        return "it begins or ends with a space"
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        return "it holds a control character"
    if not unicodedata.is_normalized("NFC", text):
        return "it is not in normal form (NFC)"
    return ""
