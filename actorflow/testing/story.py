"""A story: what happened to an actor, move by move, in words and as a test that can be pasted."""

# What authors keep is of any type: pyright narrows Any to containers of what it cannot know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag
from itertools import combinations
from typing import Any
from uuid import UUID

import attrs
from attrs import define, evolve, field, frozen

from actorflow.errors import ActorflowError, Divergence, TwinDiffers

from .scenario import FATAL, Scenario

__all__ = [
    "Code",
    "Misfit",
    "Move",
    "join",
    "listing",
    "name_of",
    "named",
    "shortened",
    "simpler_values",
    "tell",
    "written",
]


@frozen
class Code:
    """A line of Python, and what it needs to have imported."""

    text: str
    needs: frozenset[tuple[str, str]] = frozenset()
    """Pairs of a module and a name in it."""


def _nothing_simpler() -> Iterator[Move]:
    return iter(())


@define
class Move:
    """One thing that happens."""

    words: str
    lines: tuple[Code, ...]
    """As a scenario is told, with ``{0}`` for the scenario's name."""
    play: Callable[[Scenario[Any]], object]
    simpler: Callable[[], Iterator[Move]] = _nothing_simpler
    """The same with values that are easier to read, the easiest first."""
    reads: bool = False
    """It only asks: whatever it raises is the author's answer."""
    error: BaseException | None = field(default=None, eq=False)
    """What it raised, where that is an outcome like any other."""

    @property
    def line(self) -> str:
        """As a person is told."""
        return self.words if self.error is None else f"{self.words}, which raises {type(self.error).__name__}"

    def happen(self, scenario: Scenario[Any]) -> Exception | None:
        """Play it; gives what is wrong, if that shows here."""
        self.error = None
        try:
            self.play(scenario)
        except FATAL as error:
            return error
        except ActorflowError as error:
            self.error = error
        except Misfit:
            raise
        except Exception as error:
            if not self.reads:
                raise
            self.error = error
        return None


class Misfit(Exception):
    """A move does not fit here any more, because of others that were left out."""


# ---- the shortest story ------------------------------------------------------------------------------


def tell(moves: list[Move], begin: Callable[[], Scenario[Any]]) -> tuple[list[Move], Exception] | None:
    """Play a story; gives it up to where it goes wrong, and what is wrong there."""
    scenario = begin()
    told = [evolve(move, error=None) for move in moves]
    try:
        for number, move in enumerate(told, 1):
            wrong = move.happen(scenario)
            if wrong is not None:
                return told[:number], wrong
    except Misfit:
        pass
    finally:
        scenario.drop_all()
    return None


def shortened(
    moves: list[Move], wrong: Exception, begin: Callable[[], Scenario[Any]]
) -> tuple[list[Move], Exception]:
    """The story without what does not matter, in values that are easy to read, and as wrong."""
    best = moves, wrong
    left = TRIES

    def better(candidate: list[Move]) -> bool:
        nonlocal best, left
        left -= 1
        told = tell(candidate, begin) if left > 0 else None
        if told is None or _kind(told[1]) != _kind(wrong):
            return False
        best = told
        return True

    again = better(moves)  # if not, it depends on what is no part of the story
    while again:
        again = False
        size = max(1, len(best[0]) // 2)
        while size:
            at = len(best[0]) - size
            while at >= 0:
                again |= better(best[0][:at] + best[0][at + size :])
                at = min(at - size, len(best[0]) - size) if size > 1 else at - 1
            size //= 2
        for at in range(len(best[0])):
            while at < len(best[0]) and any(
                better([*best[0][:at], simpler, *best[0][at + 1 :]]) for simpler in best[0][at].simpler()
            ):
                again = True
        # A message and the answer to what it asked for go only together, and need not stand side by side.
        again = again or any(
            better([move for at, move in enumerate(best[0]) if at not in pair])
            for pair in combinations(range(len(best[0])), 2)
        )
    return best


TRIES = 1_500
"""So many stories are tried for a shorter one."""


def _kind(wrong: Exception) -> tuple[object, ...]:
    """What makes two of them the same trouble."""
    if isinstance(wrong, Divergence | TwinDiffers):
        return ("it is not repeated",)  # which of the two notices depends on what comes next
    return type(wrong), getattr(wrong, "invariant", None)


def simpler_values(value: Any) -> Iterator[Any]:
    """What could stand in its place, the easiest to read first; each is smaller than what it stands for."""
    match value:
        case bool():
            if value:
                yield False
        case Enum():
            members = list(type(value))
            yield from members[: members.index(value)] if value in members else ()
        case int():
            sizes = sorted({0, 1, 2, abs(value) // 2, abs(value) - 1, abs(value)})
            yield from (
                size for size in sizes if 0 <= size < abs(value) or (value < 0 and size == abs(value))
            )
            if value < -1:
                yield -1
        case float():
            yield from (one for one in (0.0, 1.0, float(int(value))) if abs(one) < abs(value))
        case str():
            yield from (one for one in ("a", "b", "") if TEXTS.index(one) < _rank(value))
        case list() | tuple():
            items = list(_any(value))
            kind = type(_any(value))
            for at in range(len(items)):
                yield kind(items[:at] + items[at + 1 :])
            for at, item in enumerate(items):
                for simpler in simpler_values(item):
                    yield kind([*items[:at], simpler, *items[at + 1 :]])
        case dict():
            pairs = _any(value)
            for key in pairs:
                yield {other: held for other, held in pairs.items() if other != key}
            for key, held in pairs.items():
                for simpler in simpler_values(held):
                    yield {**pairs, key: simpler}
        case timedelta():
            if value > timedelta(seconds=1):
                yield timedelta(seconds=1)
        case _ if attrs.has(type(value)):
            for one in attrs.fields(_any(type(value))):
                for simpler in simpler_values(getattr(value, one.name)):
                    with suppress(Exception):  # the class has its own opinion of what it takes
                        yield evolve(value, **{one.alias: simpler})
        case _:
            pass


def _any(value: object) -> Any:
    """The same: what authors send is theirs, and of any type."""
    return value


TEXTS = ("a", "b", "c", "")


def _rank(text: str) -> int:
    return TEXTS.index(text) if text in TEXTS else len(TEXTS)


# ---- as Python ---------------------------------------------------------------------------------------


def written(value: Any) -> Code:
    """The Python that makes this value again."""
    needs: set[tuple[str, str]] = set()
    return Code(_written(value, needs), frozenset(needs))


def named(name: str, value: Any) -> Code:
    """The same, as an argument by keyword."""
    code = written(value)
    return Code(f"{name}={code.text}", code.needs)


def name_of(thing: Any) -> Code:
    """A class or a function, by its name."""
    qualname: str = getattr(thing, "__qualname__", str(thing))
    if "<locals>." in qualname:
        return Code(qualname.rpartition("<locals>.")[2])
    return Code(qualname, frozenset({(thing.__module__, qualname.partition(".")[0])}))


def join(template: str, *parts: Code) -> Code:
    """A line put together; ``{0}`` stays, for the scenario."""
    text = template
    for part in parts:
        text = text.replace("{}", part.text.replace("{", "{{").replace("}", "}}"), 1)
    return Code(text, frozenset().union(*(part.needs for part in parts)))


def _written(value: Any, needs: set[tuple[str, str]]) -> str:
    def of(thing: Any) -> str:
        code = name_of(thing)
        needs.update(code.needs)
        return code.text

    match value:
        case Flag() if value.name is None or "|" in value.name:
            return " | ".join(f"{of(type(value))}.{bit.name}" for bit in value) or f"{of(type(value))}(0)"
        case Enum():
            return f"{of(type(value))}.{value.name}"
        case datetime() | time() | date() | timedelta():
            needs.add(("datetime", type(value).__name__))
            if getattr(value, "tzinfo", None) is UTC:
                needs.add(("datetime", "UTC"))
            elif isinstance(getattr(value, "tzinfo", None), timezone):
                needs.update({("datetime", "timezone"), ("datetime", "timedelta")})
            return repr(value).replace("datetime.timezone.utc", "UTC").replace("datetime.", "")
        case Decimal() | UUID():
            return f"{of(type(value))}{repr(value)[len(type(value).__name__) :]}"
        case list():
            return f"[{', '.join(_each(_any(value), needs))}]"
        case tuple():
            items = _each(_any(value), needs)
            return f"({', '.join(items)}{',' * (len(items) == 1)})"
        case set() if value:
            return f"{{{', '.join(sorted(_each(_any(value), needs)))}}}"
        case frozenset():
            return (
                f"frozenset({{{', '.join(sorted(_each(_any(value), needs)))}}})" if value else "frozenset()"
            )
        case dict():
            pairs = _any(value).items()
            return (
                f"{{{', '.join(f'{_written(key, needs)}: {_written(held, needs)}' for key, held in pairs)}}}"
            )
        case BaseException():
            return f"{of(type(value))}({', '.join(_each(value.args, needs))})"
        case _ if attrs.has(type(value)):
            shown = [
                f"{one.alias}={_written(getattr(value, one.name), needs)}"
                for one in attrs.fields(_any(type(value)))
                if one.init and not _is_default(value, one)
            ]
            return f"{of(type(value))}({', '.join(shown)})"
        case _ if hasattr(type(value), "__dataclass_fields__"):
            shown = [
                f"{name}={_written(getattr(value, name), needs)}"
                for name, one in _any(type(value)).__dataclass_fields__.items()
                if one.init
            ]
            return f"{of(type(value))}({', '.join(shown)})"
        case _:
            return repr(value)


def _each(items: Iterable[Any], needs: set[tuple[str, str]]) -> list[str]:
    return [_written(item, needs) for item in items]


def _is_default(value: Any, one: Any) -> bool:
    default = one.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return not default.takes_self and bool(default.factory() == getattr(value, one.name))
    return default is not attrs.NOTHING and bool(default == getattr(value, one.name))


def listing(entity: type[Any], key: str, moves: Iterable[Move]) -> str:
    """The story as a test: it fails as the story does."""
    who = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in entity.__name__).strip(
        "_"
    )
    named = name_of(entity)
    needs = {("actorflow.testing", "Scenario"), *named.needs}
    given = "" if key == "scenario" else f", {key!r}"
    body = [f"{who} = Scenario({named.text}{given}, twin=True)"]
    for move in moves:
        indent = ""
        if move.error is not None:
            error = name_of(type(move.error))
            needs |= {("contextlib", "suppress"), *(need for need in error.needs if need[0] != "builtins")}
            body.append(f"with suppress({error.text}):")
            indent = "    "
        for line in move.lines:
            needs |= line.needs
            body.append(indent + line.text.format(who))
    needs = {need for need in needs if need[0] != "builtins"}
    lines = _imports(needs)
    missing = sorted(name for module, name in needs if not _importable(module))
    if missing or not named.needs:
        lines.append(f"# {', '.join(missing or [named.text])}: as in the file where {entity.__name__} is")
    return "\n".join([*lines, "", "", f"def test_{who}() -> None:", *(f"    {line}" for line in body), ""])


def _importable(module: str) -> bool:
    return module != "__main__" and (
        module in sys.stdlib_module_names
        or getattr(sys.modules.get(module.partition(".")[0]), "__file__", None) is not None
        or hasattr(sys.modules.get(module.partition(".")[0]), "__path__")
    )


def _imports(needs: set[tuple[str, str]]) -> list[str]:
    found: dict[str, list[str]] = {}
    for module, name in sorted(needs):
        if _importable(module):
            found.setdefault(module, []).append(name)
    lines = [f"from {module} import {', '.join(names)}" for module, names in found.items()]
    # The standard library first, as everybody's tools want it.
    own = [line for line in lines if line.split()[1].partition(".")[0] not in sys.stdlib_module_names]
    standard = [line for line in lines if line not in own]
    return [*standard, *([""] if standard and own else []), *own]
