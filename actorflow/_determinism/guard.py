"""Strict mode: watches one thread while a handler runs in it, and stops it where it touches the outside.

Two instruments.  A profile function sees every call of a C function made from Python (``time.time``, however
it was imported) and every Python function entered (``os.environ``, ``asyncio.sleep``).  An audit hook sees
what C does on its own (``sorted(key=id)``, ``open`` inside a library).  A hit is charged to the nearest frame
that is not the standard library's; where that is actorflow's own, as when its logger asks for the time,
nothing happened.  A line with ``# actorflow: ok`` is left alone, as the lint leaves it.

An author's ``except Exception`` cannot get rid of the error: the watch remembers it, and ``leave`` raises it
again.  Python unsets a profile function that raises; a run that has failed needs no more watching, and the
next ``enter`` arms it anew.

Not seen: the order of a set; arguments (``astimezone()`` without a zone); calls of types (``weakref.ref``);
C that calls C without an audit event (``map(hash, ...)``); reads of variables.  The lint reads most of those.

Measured around a handler of two C calls (0.1 us alone): 2.3 us on 3.11, 7 to 9 us on 3.12 and 3.13, where
switching a profile function makes Python instrument its code anew; inside, 0.2 us more for each call.
"""

from __future__ import annotations

import gc
import importlib
import io
import linecache
import os
import sys
import threading
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from attrs import define, frozen

from actorflow._determinism.forbidden import (
    ARGUMENTS,
    FORBIDDEN,
    OWN_LINE,
    canonical,
    excused,
    instead_of,
    name_of,
)
from actorflow.errors import NondeterminismError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

__all__ = ["Watch", "enter", "guarded", "leave", "suspended"]


@define(eq=False)
class Watch:
    """One guarded run of a handler: where it is, what was there before, and the first thing it did wrong."""

    where: str
    _profile: Any = None
    _outer: Watch | None = None
    paused: int = 0
    error: NondeterminismError | None = None

    def __enter__(self) -> Self:
        """Begin to watch this thread."""
        if not _calls:
            _install()
        self._outer, self._profile = _here.watch, sys.getprofile()
        if self._profile is not None and not callable(self._profile):
            # cProfile before 3.12 sits in the same place.  Only when told to stop does it close its books.
            self._profile.disable()
        sys.setprofile(_profile)
        _here.watch = self
        return self

    def __exit__(self, _type: object, _error: object, _trace: TracebackType | None) -> None:
        """Restore what was there before, and raise what was found."""
        _here.watch = self._outer
        if self._profile is None or callable(self._profile):
            sys.setprofile(self._profile)
        else:
            sys.setprofile(None)
            self._profile.enable()
        if self.error is not None:
            raise self.error from None


def guarded(where: str) -> Watch:
    """Answer a watch for the block of a ``with``; ``where`` names the actor and the handler."""
    return Watch(where)


def enter(where: str) -> Watch:
    """Begin to watch this thread; every ``enter`` needs its ``leave``, in a ``finally``."""
    return Watch(where).__enter__()


def leave(watch: Watch) -> None:
    """End the watch; raise the ``NondeterminismError`` it met, also when the author's code swallowed it."""
    watch.__exit__(None, None, None)


@contextmanager
def suspended() -> Generator[None]:
    """Look away, for work of actorflow's that calls code of others: a logging handler of the user's."""
    watch = _here.watch or Watch("nobody asks")
    watch.paused += 1
    try:
        yield
    finally:
        watch.paused -= 1


class _Here(threading.local):
    watch: Watch | None = None


_here = _Here()
_calls: set[object] = set()
_types: set[type] = set()


# ---- the two instruments -----------------------------------------------------------------------------


def _profile(frame: FrameType, what: str, arg: Any) -> None:
    # Runs at every call inside a handler: two look-ups decide nearly always.
    if what == "c_call":
        if arg in _calls or type(arg.__self__) in _types:
            _blame(frame, name_of(arg))
    elif what == "call" and _has_rows(frame.f_globals.get("__name__", "")):
        # Only now the code object: asking a frame for it is an audit event, and costs 0.4 us.
        _entered(frame, _place(frame.f_code.co_filename))


@cache
def _has_rows(module: str) -> bool:
    return canonical(module).partition(".")[0] in _ROOTS


def _entered(frame: FrameType, place: _Place) -> None:
    """Look at a Python function of a module that has forbidden things in it."""
    name, caller = _called(frame, place), frame.f_back
    if place.module == "random":
        # The module's own functions end in C functions bound to its hidden generator, which ``_calls`` knows.
        # What remains is a new generator without a seed; those with one, and actorflow's own, are welcome.
        if name != "random.__init__" or frame.f_locals.get("x") is not None:
            return
        name = "random.Random"
    # Python code deep in a library does no harm until it reaches C; only the environment is held in Python.
    direct = caller is not None and _place(caller.f_code.co_filename).role in ("author", "site")
    if instead_of(name) is not None and (direct or name.startswith("os._Environ.")):
        _blame(caller, name)


def _audit(what: str, args: tuple[Any, ...]) -> None:
    if _here.watch is None:
        return
    name = canonical(what)
    if instead_of(name) is None:
        return
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - the frame, not a copy
    if what == "import":
        root = str(args[0]).partition(".")[0]
        # The standard library has no say in what a handler does, and C imports from it behind its back.
        if root not in sys.stdlib_module_names and root != "actorflow":
            _blame(frame, name, f"import of {args[0]}")
    else:
        _blame(frame, name)


def _install() -> None:
    """Learn the forbidden C functions and add the audit hook, which nothing can remove: at first use only."""
    for module in ("builtins", "gc", "io", os.name, "random", "select", "_thread", "time"):
        _learn(vars(importlib.import_module(module)).values())
    datetime = importlib.import_module("datetime")
    for cls in (datetime.datetime, datetime.date):
        _learn(getattr(cls, name) for name in dir(cls))
    kinds = (type(threading.Lock()), type(threading.RLock()), io.FileIO, io.BufferedReader, io.BufferedWriter)
    _types.update((*kinds, io.BufferedRandom, io.TextIOWrapper))
    sys.addaudithook(_audit)
    gc.callbacks.append(_collecting)


def _collecting(phase: str, _: object) -> None:
    """Look away while the collector runs, on top of a handler, what somebody else has left behind."""
    watch = _here.watch
    if watch is not None:
        watch.paused += 1 if phase == "start" else -1


def _learn(things: Iterable[object]) -> None:
    for thing in things:
        if isinstance(thing, BuiltinFunctionType):
            name, private = name_of(thing), thing.__name__.startswith("_") and thing.__name__ != "__import__"
            # A profile function cannot see how many arguments were given.  What is private in ``posix``
            # serves the pure parts of ``os.path``.
            if instead_of(name) is not None and name not in ARGUMENTS and not private:
                _calls.add(thing)


# ---- whose fault it is -------------------------------------------------------------------------------


@frozen
class _Place:
    """What a file is to us: ``library`` is looked through to find who called it, ``quiet`` is let alone."""

    role: Literal["author", "site", "library", "quiet"]
    module: str = ""


_OURS: Final = str(Path(__file__).absolute().parent.parent) + os.sep
_STDLIB: Final = str(Path(os.__file__).absolute().parent) + os.sep
_ROOTS: Final = frozenset(name.partition(".")[0] for name in FORBIDDEN)
_LOOKED_THROUGH: Final = frozenset({"attr", "attrs", "cattr", "cattrs", "msgpack", "typing_extensions"})
# Importing, warning, and the tools that watch a test run do what they do on top of any frame.
_QUIET: Final = frozenset(
    {"importlib", "_strptime", "warnings", "_pytest", "pluggy", "hypothesis", "coverage", "bdb", "pdb"}
)


@cache  # one entry for each source file that handlers reach
def _place(filename: str) -> _Place:
    if filename.startswith(_OURS):
        return _Place("quiet")
    if filename.startswith("<frozen "):
        module, role = filename[len("<frozen ") : -1], "library"
    elif filename.startswith("<"):
        return _Place("library" if " generated " in filename else "author")
    else:
        module, role = _module(filename)
    root = module.partition(".")[0]
    if root in _QUIET and module != "importlib":
        return _Place("quiet")
    if role == "library" or root in _LOOKED_THROUGH:
        return _Place("library", module)
    return _Place("site", module) if role == "site" else _Place("author")


def _module(filename: str) -> tuple[str, str]:
    """Answer the dotted name under which the file is imported, and how near it is to the author."""
    path, role = (filename[len(_STDLIB) :], "library") if filename.startswith(_STDLIB) else ("", "author")
    for packages in ("site-packages", "dist-packages"):
        _, found, inside = filename.rpartition(os.sep + packages + os.sep)
        path, role = (inside, "site") if found else (path, role)
    return path.removesuffix(".py").removesuffix(f"{os.sep}__init__").replace(os.sep, "."), role


def _called(frame: FrameType, place: _Place) -> str:
    return canonical(f"{place.module}.{frame.f_code.co_qualname}")


def _blame(frame: FrameType | None, name: str, what: str = "") -> None:
    """Find the author's line behind this frame, and raise unless somebody is allowed to do this."""
    watch = _here.watch
    if watch is None or watch.paused or watch.error is not None:
        return
    own_line = name in OWN_LINE or name.partition(".")[0] in OWN_LINE
    while frame is not None:
        code = frame.f_code
        place = _place(code.co_filename)
        # A finalizer is run by the collector on top of whatever frame there is.
        if place.role == "quiet" or code.co_name == "__del__":
            return
        if place.role != "library":
            break
        if own_line:
            return
        if instead_of(called := _called(frame, place)) is not None:
            name = called
        frame = frame.f_back
    else:
        return
    # The place of a value in a table may follow the process; what a table answers does not.
    if own_line and (place.role == "site" or code.co_name == "__hash__"):
        return
    _report(watch, frame, name, what)


def _report(watch: Watch, frame: FrameType, name: str, what: str) -> None:
    file, line = frame.f_code.co_filename, frame.f_lineno
    watch.paused += 1  # reading the source opens a file
    try:
        if excused(linecache.getlines(file, frame.f_globals), *_lines(frame)):
            return
    finally:
        watch.paused -= 1
    where, instead = f"{file}:{line}: {watch.where}", str(instead_of(name))
    watch.error = NondeterminismError(where, what or _shown(name), instead)
    raise watch.error


def _shown(name: str) -> str:
    """Answer how an author would write it: without ``__init__`` and the private modules in between."""
    if name.startswith("os._Environ"):
        return "os.environ"
    parts = [part for part in name.split(".") if not part.startswith("_") or part == "__import__"]
    return f"{'.'.join(parts)}()"


def _lines(frame: FrameType) -> tuple[int, int]:
    """Answer the first and last line of the expression that the frame is in."""
    for at, (first, last, _, _) in enumerate(frame.f_code.co_positions()):
        if at == frame.f_lasti // 2 and first and last:
            return first, last
    return frame.f_lineno, frame.f_lineno
