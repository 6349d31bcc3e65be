"""What the lint says about a handler's source, and what it leaves alone."""

# Handlers that do what they must not are what is tested here.
# ruff: noqa: PGH004
# ruff: noqa
# mypy: ignore-errors
# pyright: basic, reportAttributeAccessIssue=false, reportUndefinedVariable=false, reportArgumentType=false
# pyright: reportGeneralTypeIssues=false, reportUnusedExpression=false

from __future__ import annotations

import argparse
import functools
import http
import linecache
import random
import socket
import time
import timeit
import types
from collections import deque
from time import time as t

import attrs
import pytest

from actorflow._determinism.lint import Finding, lint

prices = {"apple": 150}
PRICES = {"apple": 150}
RATES = {"apple": 150}
FILLED = {}
QUEUE = deque()
TAGS = frozenset({"a", "b"})


class Settings:
    limit = 1


SETTINGS = Settings()


@attrs.define
class Line:
    quantity: int


def fill():
    FILLED["a"] = 1


def whats(*handlers, sets=()):
    return [finding.what for finding in lint(handlers, "Cart", sets)]


def chain_one():
    return chain_two()


def chain_two():
    return t() + (chain_one() if TAGS is None else 0)


def test_a_good_handler_has_no_findings():
    """Ordinary business code is not spoken of, or the lint would soon be switched off."""

    def add_item(self, sku: str, quantity: int, tags: set[str], cents: int = 0, note=None) -> int:
        held = self.items.get(sku)
        if sku not in TAGS and len(tags) < 3 and "x" not in tags:
            self.items[sku] = {"quantity": quantity + (held["quantity"] if held else 0), "cents": cents}
        self.tags |= tags
        self.log.append(", ".join(sorted(tags)))
        self.tags.update(tag.lower() for tag in sorted(tags))
        lower = {tag.lower() for tag in tags}
        first = sorted(map(str, lower))[0] if any(tag for tag in lower) else min(lower)
        time = max([len(tag) for tag in tags]) + sum(1 for tag in tags)
        total = time + RATES["apple"] + SETTINGS.limit
        again = [] if isinstance(total, socket.socket) else sorted(list(lower))
        count = 0

        def bump() -> None:
            nonlocal count
            count += 1

        try:
            bump()
        except (ValueError, http.HTTPStatus, socket.timeout):
            raise
        except BaseException:
            self.count = count
            raise
        keys = self.items.keys() | self.more
        a, *rest = [keys, again, first]
        return random.Random(total).randint(1, 6) + rest[0]

    assert whats(add_item, sets={"tags"}) == []


def test_names_mean_what_they_mean_to_the_function():
    """An import under another name is seen through, and a variable called ``time`` is only a variable."""
    clock = time.monotonic

    def handler(self, random):
        datetime = self.datetime
        datetime.datetime.now()
        random.random()
        time.time()
        t()
        return clock()

    assert whats(handler) == ["time.time()", "time.time()", "time.monotonic()"]


def test_a_thing_passed_on_counts_like_a_call():
    """``key=id`` runs it as surely as ``id(x)``."""

    def handler(self):
        self.items.sort(key=id)
        return map(time.time_ns, [])

    assert whats(handler) == ["id", "time.time_ns"]


def test_the_mark_silences_its_line_only():
    """``# actorflow: ok`` is an answer to one finding."""

    def handler(self):
        time.time()  # actorflow: ok
        max(
            time.time(),  # actorflow: ok
            time.time_ns(),
        )

    assert whats(handler) == ["time.time_ns()"]


def test_plain_functions_of_the_module_are_followed_once():
    """What a handler calls is part of it, also where the functions call each other."""

    def handler(self):
        return chain_one() + chain_two()

    (finding,) = lint([handler], "Cart")
    assert finding.what == "time.time()"
    assert finding.line == chain_two.__code__.co_firstlineno + 1


def test_what_is_wrapped_is_read():
    """An author's decorator does not hide the function below it."""

    def decorated(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    @decorated
    def handler(self):
        return time.time()

    assert whats(handler) == ["time.time()"]


def test_functions_inside_a_handler_are_part_of_it():
    """Nested functions and lambdas run in the same turn."""

    def handler(self):
        def inner(found=[]):
            global prices
            return time.time()

        class Local:
            when = time.time()

        return inner, (lambda: random.random()), Local

    assert whats(handler) == [
        "has a default that can be changed",
        "writes the module's variable prices",
        "time.time()",
        "time.time()",
        "random.random()",
    ]


def test_defaults_that_can_be_changed_are_named():
    """A default is made once, for all actors."""

    def handler(self, a=[], b=dict(), *, c={1}, d=(), e=None, f: set[int] = frozenset()):
        return a, b, c, d, e

    assert whats(handler) == ["has a default that can be changed"]
    assert len(lint([handler], "Cart")) == 1, "three on one line are one finding"


def test_what_lives_outside_the_actor_may_not_change():
    """Replay repeats one actor's messages, not what all of them did to the module."""
    outer = 0

    def handler(self):
        nonlocal outer
        outer = 1
        FILLED["a"]["b"] = 1
        SETTINGS.limit = 2
        Undefined.limit = 3
        QUEUE.append(1)
        del PRICES["apple"]
        self.__class__.limit = 4
        self.items.append(5)
        SETTINGS.update()

    assert whats(handler) == [
        "writes outer, which lives outside the actor",
        "changes 'FILLED', which lives outside the actor",
        "changes 'SETTINGS', which lives outside the actor",
        "changes 'Undefined', which lives outside the actor",
        "changes 'QUEUE', which lives outside the actor",
        "changes 'PRICES', which lives outside the actor",
        "changes its class, which all actors share",
    ]


def test_what_may_change_may_not_be_read():
    """A table is a constant if its name says so and no function of the module changes it."""

    def handler(self):
        prices["apple"]
        FILLED["apple"]
        TAGS

    assert whats(handler) == [
        "reads 'prices', which lives outside the actor and may change",
        "reads 'FILLED', which lives outside the actor and may change",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: pass",
        "for x in self.tags: pass",
        "for x in self.tags | self.more: pass",
        "for x in self.items.keys() & self.more: pass",
        "for x in (found := set(self.more)): pass",
        "[x for x in frozenset(self.more)]",
        "{x: 1 for x in given}",
        "list(x for x in maybe)",
        "list(given)",
        "tuple(t.strip() for t in given or self.more)",
        "next(iter(given))",
        "','.join(given)",
        "dict.fromkeys(given)",
        "self.found.extend(given)",
        "[*given]",
        "f(*given)",
        "a, *b = given",
        "given.pop()",
        "list(map(str, given))",
        "list(TAGS)",
        "list(given.union('a') if self.a else [])",
        "local: set[int] = self.a\nlist(local)",
        "local = {1}\nlist(local)",
    ],
)
def test_an_order_made_out_of_a_set_is_named(tmp_path, source):
    """The order of strings in a set is another in every process."""
    handler = make(
        tmp_path, f"def handler(self, given: 'set[str]', maybe: t.Set | None = None):\n{indent(source)}"
    )
    assert whats(handler, sets={"tags"}) == ["takes the elements of a set in order"]


@pytest.mark.parametrize(
    "source",
    [
        "sorted(given)",
        "sorted(x for x in given)",
        "sorted([x for x in given])",
        "sorted(list(given))",
        "len(given), min(given), max(given), sum(given), any(given), all(given)",
        "set(given) | {x for x in given}",
        "1 in given",
        "given.add(1)",
        "max(*given)",
        "self.items.pop('a')",
        "for x in self.others: pass",
        "for x in self.items.keys() | {}: pass",
        "local = {1}\nlocal = sorted(local)\nlist(local)",
        "def join(x): return x\njoin(given)",
    ],
)
def test_a_set_whose_order_does_not_matter_is_left_alone(tmp_path, source):
    """Sets are fine until somebody asks for an order."""
    handler = make(tmp_path, f"def handler(self, given: set[str]):\n{indent(source)}")
    assert whats(handler, sets={"tags"}) == []


@pytest.mark.parametrize(
    "source",
    [
        "try: pass\nexcept: pass",
        "try: pass\nexcept BaseException: pass",
        "try: pass\nexcept (ValueError, BaseException) as error: self.error = error",
    ],
)
def test_swallowing_everything_is_named(tmp_path, source):
    """Cancelled is a BaseException, and an actor that swallows it cannot be cancelled."""
    handler = make(tmp_path, f"def handler(self):\n{indent(source)}")
    (finding,) = lint([handler], "Cart")
    assert "swallows Cancelled" in finding.instead


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("await pytest.deprecated_call()", "awaits _pytest.recwarn.deprecated_call"),
        ("async with pytest.raises(ValueError): pass", "enters _pytest.raises.raises"),
        ("async for x in pytest.Item: pass", "iterates over _pytest.nodes.Item"),
    ],
)
def test_awaiting_another_package_is_named(tmp_path, source, what):
    """Only what is actorflow's can be awaited again on replay."""
    handler = make(tmp_path, f"import pytest\nasync def handler(self):\n{indent(source)}")
    assert whats(handler) == [what]


def test_an_awaitable_of_the_project_is_left_alone(tmp_path):
    """The author's own functions, and what nobody can know, are for the step to judge."""
    source = "async def own(): pass\nasync def handler(self):\n await own()\n await self.x()\n async with self.y(): pass"
    assert whats(make(tmp_path, source)) == []


def test_imports_inside_a_handler_are_named_and_seen_through(tmp_path):
    """The first import runs a module, the next ones do not; actorflow's own names do no harm."""
    source = """
    import json, os.path
    import time as clock
    from time import monotonic
    from . import nothing
    import no_such_module
    from actorflow import now
    clock.time(), monotonic(), os.getpid(), no_such_module.x(), nothing.x()
    """
    handler = make(tmp_path, f"def handler(self):{source}")
    assert whats(handler) == [
        "imports json, os.path at run time",
        "imports time at run time",
        "imports time at run time",
        "imports . at run time",
        "imports no_such_module at run time",
        "os.getpid()",
        "time.monotonic()",
        "time.time()",
    ]


def test_a_name_that_is_not_bound_yet_is_no_error():
    """A class is linted while its module is still being read, and closures may still be empty."""

    def handler(self):
        nowhere_defined.call()
        return later()

    findings = whats(handler)
    later = time.time
    assert findings == []
    assert whats(handler) == ["time.time()"]


def test_a_function_without_source_has_no_findings(tmp_path):
    """In a REPL, or where the file has changed since, there is nothing to read and nothing to say."""
    namespace = {}
    exec("import time\ndef handler(self): time.time()", namespace)
    assert lint([namespace["handler"], print, Settings], "Cart") == []

    changed = make(tmp_path, "import time\ndef handler(self): time.time()")
    file = tmp_path / "project.py"
    for text in ("import time\n\n\n", "def handler(self: time.time()", "def other(): pass\ndef handler\0"):
        file.write_text(text)
        assert lint([changed], "Cart") == []


def test_generated_methods_have_no_findings():
    """What attrs writes for a class (its repr asks for ``id``) is not the author's to mend."""
    assert lint([Line.__repr__, Line.__init__], "Cart") == []


def test_two_lambdas_on_a_line_are_not_told_apart():
    """Better nothing than the wrong function."""
    first, second = (lambda self: time.time()), (lambda self: 1)
    alone = lambda self: time.time()
    assert whats(first, second) == []
    assert whats(alone) == ["time.time()"]


def test_every_way_to_bind_a_name_makes_it_local(tmp_path):
    """Patterns, handlers of errors and arguments hide what the module has under the same name."""
    source = """
    match self:
        case {"a": 1, **time}: pass
        case [1, *random]: pass
        case {"b": prices}: pass
    prices.clear()
    return time.time(), random.random()
    """
    assert whats(make(tmp_path, f"import time, random\nprices = {{}}\ndef handler(self):{source}")) == []


def test_a_finding_says_where_what_and_what_to_write():
    """One line, which an editor can jump to."""

    def add_item(self):
        time.time()

    (finding,) = lint([add_item], "Cart")
    line = add_item.__code__.co_firstlineno + 1
    now = "use actorflow.now(), the time that was recorded with the message"
    assert finding == Finding(__file__, line, "time.time()", now, "Cart")
    assert str(finding) == f"{__file__}:{line}: Cart: time.time(); {now}"


def test_a_large_module_is_read_quickly():
    """Linting runs at every import of an entity; 2,600 lines take 30 ms, and never grow out of proportion."""
    functions = [
        function
        for cls in vars(argparse).values()
        if isinstance(cls, type)
        for function in vars(cls).values()
        if isinstance(function, types.FunctionType)
    ]
    assert len(linecache.getlines(argparse.__file__)) > 2500
    # A wide bound: coverage slows it tenfold, and the machine may be busy.
    assert min(timeit.repeat(lambda: lint(functions, "x"), number=1, repeat=3)) < 2


def indent(source: str) -> str:
    return "".join(f"    {line}\n" for line in source.splitlines())


def make(tmp_path, source: str):
    """Answer the handler of a module with this source."""
    file = tmp_path / "project.py"
    file.write_text(source)
    namespace = {"__name__": "project", "t": __import__("typing"), "TAGS": TAGS}
    exec(compile(source, str(file), "exec"), namespace)
    return namespace["handler"]
