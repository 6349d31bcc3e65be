"""Another process, in which the same journal is replayed under another hash seed and in another time zone.

What hangs on the order of a set, on ``hash`` or on the machine's zone is the same on every replay in one
process, and another in the next.  An entity is found there by its module and its name, so one that is
defined inside a function, or typed at a prompt, cannot be asked about elsewhere.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Final, NamedTuple

from actorflow._authoring.entity import spec_of
from actorflow._codec import pack, unpack
from actorflow._core.actor import Actor
from actorflow._core.once import Ids
from actorflow._core.quiet import silence
from actorflow._core.replay import replay
from actorflow._core.step import ask
from actorflow.errors import Divergence

__all__ = ["AWAY", "ELSEWHERE", "Elsewhere", "Journal", "serve"]

AWAY: Final = "ACTORFLOW_ELSEWHERE"
"""Set in that process: a search begun by what it imports is not begun again."""
ZONE: Final = "Asia/Kathmandu"
LENGTH_BYTES: Final = 8


ELSEWHERE: Final = "what is replayed in another process"


class Journal(NamedTuple):
    """What is replayed there, and what queries answered here."""

    key: str
    nonce: bytes
    records: list[bytes]
    now: int
    asked: list[tuple[str, bytes]]


class Elsewhere:
    """One such process, for one entity."""

    def __init__(self, entity: type[Any]) -> None:
        self._entity = entity
        self._child: subprocess.Popen[bytes] | None = None
        self.gone = False
        """It did not answer: nothing can be said about the entity there."""

    @property
    def possible(self) -> bool:
        """Whether the entity can be found there."""
        file = _file_of(self._entity)
        return "<locals>" not in self._entity.__qualname__ and file is not None and Path(file).exists()

    def replay(self, journal: Journal) -> None:
        """Replay a journal there, and ask queries; raises what is not as it was here."""
        child = self._child or self._begin()
        assert child.stdin is not None and child.stdout is not None, "both are pipes"  # noqa: PT018 - one fact
        key, nonce, records, now, asked = journal
        _write(child.stdin, pack([key, nonce, records, now, [name for name, _ in asked]]))
        answer = _read(child.stdout)
        if answer is None:
            self.close()
            self.gone = True
            return  # it cannot be imported there, and nothing can be said
        wrong, answers = unpack(answer)
        entity = spec_of(self._entity).name
        for (name, here), there in zip(asked, answers, strict=False):
            if here != there and not wrong:
                wrong = f"query {name} answers {_shown(there)}, and here {_shown(here)}"
        if wrong:
            raise Divergence(f"{entity} {key!r}", len(records), "-", ELSEWHERE, "as here", wrong)

    def _begin(self) -> subprocess.Popen[bytes]:
        seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
        path = os.pathsep.join([one or os.getcwd() for one in sys.path])  # noqa: PTH109 - what sys.path means by ""
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": ZONE, "PYTHONPATH": path, AWAY: "1"}
        code = "from actorflow.testing.elsewhere import serve; serve()"
        self._child = subprocess.Popen(  # noqa: S603 - this interpreter, and our own line
            [sys.executable, "-c", code],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._child.stdin is not None, "it is a pipe"
        place = [self._entity.__module__, _file_of(self._entity) or "", self._entity.__qualname__]
        _write(self._child.stdin, pack(place))
        return self._child

    def close(self) -> None:
        """Let it end."""
        child, self._child = self._child, None
        if child is not None:
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None, "both are pipes"
                pipe.close()
            child.kill()
            child.wait()


def _file_of(entity: type[Any]) -> str | None:
    file: str | None = getattr(sys.modules.get(entity.__module__), "__file__", None)
    return file


def _shown(body: bytes) -> str:
    return repr(unpack(body)) if body else "an error"


# ---- there -------------------------------------------------------------------------------------------


def serve() -> None:
    """Replay what comes in, until nothing more does."""
    given, taken = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # what modules print when they are imported is no answer
    place = _read(given)
    if place is None:
        return
    warnings.simplefilter("ignore")
    module, file, qualname = unpack(place)
    entity: Any = _module(module, file)
    for name in qualname.split("."):
        entity = getattr(entity, name)
    while (asked := _read(given)) is not None:
        _write(taken, pack(_replayed(entity, *unpack(asked))))


def _replayed(
    entity: type[Any], key: str, nonce: bytes, records: list[bytes], now: int, names: list[str]
) -> list[Any]:
    spec = spec_of(entity)
    actor = Actor(spec, key, Ids.within(spec.limits.id_window, spec.limits.id_bytes), nonce)
    actor.strict = True
    answers: list[bytes] = []
    try:
        replay(actor, records)
        for name in names:
            try:
                answers.append(ask(actor, name, spec.handlers[name].encode((), {}), now))
            except Exception:  # noqa: BLE001 - whatever it is, it is compared with what came of it there
                answers.append(b"")
    except Exception as error:  # noqa: BLE001 - what is wrong is the answer
        return [f"{type(error).__name__}: {error}".partition("\n  hint:")[0], answers]
    finally:
        silence(actor)
    return ["", answers]


def _module(name: str, file: str) -> ModuleType:
    if name != "__main__":
        try:
            return importlib.import_module(name)
        except ImportError:
            pass  # a test runner has its own way to name files
    own = name if name != "__main__" else "__actorflow_main__"
    found = importlib.util.spec_from_file_location(own, file)
    assert found is not None and found.loader is not None, "it is a file of Python"  # noqa: PT018 - one fact
    module = importlib.util.module_from_spec(found)
    sys.modules[own] = module
    found.loader.exec_module(module)
    return module


def _write(pipe: BinaryIO | Any, data: bytes) -> None:
    try:
        pipe.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
        pipe.flush()
    except BrokenPipeError:
        pass  # the other has gone, which shows when it is read


def _read(pipe: BinaryIO | Any) -> bytes | None:
    head: bytes = pipe.read(LENGTH_BYTES)
    return pipe.read(int.from_bytes(head, "big")) if len(head) == LENGTH_BYTES else None
