"""The quick form: Python source made from a shape, for the good case only.

Nothing is explained here.  A value that is not as expected raises, whatever it happens to raise, and the
caller of the generated code does it again with the careful form, which is the judge.  So the two can
differ in speed but not in result, as long as the quick form accepts nothing that the careful one refuses.

What it looks like for a class of two integers::

    def _lift_2(it):
        if _type(it) is not _dict or _len(it) != 2: _odd()
        new = _create(_Item3)
        _4 = it['quantity']
        new.quantity = (_4 if _type(_4) is _int5 else _odd())
        ...
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from attrs import define, field
from msgpack import Packer, unpackb

from actorflow._codec.extensions import Plain, extend, is_list, load_extension, pack

if TYPE_CHECKING:
    from collections.abc import Sized

    from actorflow._codec.shapes import Shape

__all__ = ["PACK", "UNPACK", "Source"]

PACK: Final = "_Packer(default=_extend, strict_types=True).pack"
"""``extensions.pack`` without its 60 ns of call and error mapping."""
UNPACK: Final = "_unpackb({}, ext_hook=_load, strict_map_key=False)"


def _odd() -> NoReturn:
    raise TypeError


def _pairs(plain: list[list[Plain]]) -> list[list[Plain]]:
    """Refuse what would unpack as pairs, too: texts and maps of two."""
    if is_list(plain) and all(is_list(pair) for pair in plain):
        return plain
    _odd()


def _whole(found: Sized, plain: Sized) -> Sized:
    """Refuse keys and elements that were there twice."""
    return found if len(found) == len(plain) else _odd()


_SHARED: Final[dict[str, object]] = {
    "_Exception": Exception,
    "_Packer": Packer,
    "_bytes": pack,
    "_create": object.__new__,
    "_dict": dict,
    "_extend": extend,
    "_float": float,
    "_len": len,
    "_list": list,
    "_load": load_extension,
    "_odd": _odd,
    "_pairs": _pairs,
    "_set": object.__setattr__,
    "_sorted": sorted,
    "_tuple": tuple,
    "_type": type,
    "_unpackb": unpackb,
    "_whole": _whole,
}


@define
class Source:
    """Functions in the making, and the names they use.

    Every name begins with ``_``, so that the parameters of a handler can have the names they like.
    """

    _names: dict[str, object] = field(factory=lambda: dict(_SHARED))
    _lines: list[str] = field(factory=list[str])
    _functions: dict[tuple[int, str], str] = field(factory=dict[tuple[int, str], str])
    _count: int = 0

    def fresh(self, stem: str = "") -> str:
        """Give a name nobody has."""
        self._count += 1
        return f"_{stem}{self._count}"

    def bind(self, value: object) -> str:
        """Give a name that means this object in the generated code."""
        for name, known in self._names.items():
            if known is value:
                return name
        name = self.fresh(re.sub(r"\W", "", getattr(value, "__name__", ""), flags=re.ASCII))
        self._names[name] = value
        return name

    def define(self, signature: str, body: list[str]) -> None:
        """Add a function."""
        self._lines += [f"def {signature}:", *(f"    {line}" for line in body)]

    def function(self, shape: Shape, verb: str, body: Callable[[Source], list[str]]) -> str:
        """Give the name of a function of ``it``, which is written at the first call and may be recursive."""
        if (known := self._functions.get((id(shape), verb))) is not None:
            return known
        name = self._functions[id(shape), verb] = self.fresh(f"{verb}_")
        self.define(f"{name}(it)", body(self))
        return name

    def guarded(self, signature: str, body: list[str], careful: str) -> None:
        """Add a function that does the quick form, and the careful one should anything be amiss.

        The careful form is outside the ``except``, or its errors would come "during handling of another".
        """
        quick = [f"    {line}" for line in body]
        self.define(signature, ["try:", *quick, "except _Exception: pass", f"return {careful}"])

    def compile(self) -> dict[str, Any]:
        """Give the finished functions by name."""
        # Nothing of the data or of a value is in the text: only names of fields and parameters, and our own.
        exec(_compiled("\n".join(self._lines)), self._names)  # noqa: S102
        return self._names


@lru_cache(maxsize=256)
def _compiled(text: str) -> CodeType:
    """Compile a text once: a handler may ask for the schema of the same answer in every turn.

    The names it uses are bound where it is run, so one text serves many schemas.  Measured: compiling is
    three quarters of making the schema of a class with three fields (380 µs, and 90 without).
    """
    return compile(text, "<actorflow codec>", "exec")
