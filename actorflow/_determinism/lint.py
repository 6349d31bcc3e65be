"""Reads a handler's source when its class is defined, and names what would be different on replay.

Names mean what they mean to the function: they are looked up in its own scopes, closure, globals and
builtins, so ``from time import time as t`` is seen through and an author's own variable called ``time`` is
left alone.  Plain functions of the same module are followed.  A function without source has no findings.

Not seen: what a value does that arrives in a parameter, methods of the author's classes (unless handed in),
and names that the module binds after this ran: lint again when the entity is first used.
"""

# ruff: noqa: N815 - the names and meanings of the visit methods are those of ``ast``

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import MutableMapping, MutableSequence, MutableSet
from enum import Enum
from types import CellType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, cast

from attrs import frozen

from actorflow._determinism.forbidden import ARGUMENTS, FORBIDDEN, canonical, excused, instead_of, name_of
from actorflow._determinism.source import (
    FunctionNode,
    Source,
    annotates_set,
    changed_by,
    local_names,
    root_of,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["Finding", "lint"]

_CONTAINERS = (list, dict, set, bytearray)
_CHANGEABLE = (MutableMapping, MutableSequence, MutableSet)
_MAKERS = frozenset({"list", "dict", "set", "bytearray"})
_SET_METHODS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
# What makes an order out of a set, what only hands it on, and what does not care.
_ORDERS = frozenset({"list", "tuple", "iter", "enumerate", "zip", "map", "filter"})
_CALM = frozenset({"sorted", "len", "min", "max", "sum", "any", "all", "set", "frozenset"})
_LOCALE = ("%a", "%A", "%b", "%B", "%c", "%p", "%x", "%X", "%Z")

_SORT = "write sorted(...): the order of a set is another in every process"
_STATE = "keep it in a field of the entity: replay does not repeat what other actors did to it"
_DEFAULT = "default to None: the default is one object, shared by all calls and all actors"
_CANCEL = "catch Exception, or raise again: this swallows Cancelled"
_AWAIT = "do it in an activity: in a handler only actorflow's own can be awaited"
_UNKNOWN = object()


@frozen(order=True)
class Finding:
    """One thing in a handler that would be different on replay, and what to write instead."""

    file: str
    line: int
    what: str
    instead: str
    where: str = ""

    def __str__(self) -> str:
        """Say it on one line that an editor can jump to."""
        return f"{self.file}:{self.line}: {self.where}: {self.what}; {self.instead}"


def lint(functions: Iterable[Callable[..., object]], where: str, sets: Collection[str] = ()) -> list[Finding]:
    """Read an entity's functions, and what they call in their module; ``sets`` names its fields of sets."""
    findings: set[Finding] = set()
    todo = [function for function in functions if isinstance(function, FunctionType)]
    seen: set[int] = set()
    sources: dict[str, Source | None] = {}
    while todo:
        function = todo.pop()
        wrapped = vars(function).get("__wrapped__")
        todo += [wrapped] if isinstance(wrapped, FunctionType) else []
        code = function.__code__
        if id(code) in seen:
            continue
        seen.add(id(code))
        if code.co_filename not in sources:
            sources[code.co_filename] = source_of(function)
        source = sources[code.co_filename]
        node = source.find(code) if source else None
        if source and node:
            reader = _Reader(function, source, frozenset(sets))
            reader.read(node)
            todo += reader.followed
            findings.update(
                Finding(code.co_filename, line, what, instead, where)
                for line, what, instead in reader.findings
            )
    return sorted(findings)


class _Reader(ast.NodeVisitor):
    """Reads one function; what it finds is (line, what, instead)."""

    def __init__(self, function: FunctionType, source: Source, sets: Collection[str]) -> None:
        code, cells = function.__code__, function.__closure__ or ()
        self.findings: set[tuple[int, str, str]] = set()
        self.followed: list[FunctionType] = []
        self._function, self._source, self._fields = function, source, sets
        self._self = code.co_varnames[0] if code.co_argcount else ""
        self._names: dict[str, Any] = dict.fromkeys(local_names(code), _UNKNOWN)
        self._outer = {name: _content(cell) for name, cell in zip(code.co_freevars, cells, strict=True)}
        self._sets: set[str] = set()
        self._calm: set[int] = set()  # ids of nodes whose order, or whose use, does not matter

    def read(self, node: FunctionNode) -> None:
        """Read the body, and the defaults, which are evaluated only once."""
        self._parameters(node.args)
        for part in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(part)

    def _add(self, node: ast.expr | ast.stmt | ast.excepthandler, what: str, instead: str) -> None:
        last = node.end_lineno if isinstance(node, ast.expr) else node.lineno
        if not excused(self._source.lines, node.lineno, last or node.lineno):
            self.findings.add((node.lineno, what, instead))

    # ---- names ----

    def _resolve(self, node: ast.expr) -> tuple[str, Any]:
        """Answer the dotted name and the value of an expression; of an attribute often only the name."""
        if isinstance(node, ast.Name):
            for scope in (self._names, self._outer, self._function.__globals__, vars(builtins)):
                if node.id in scope:
                    # The name itself says nothing: a variable may well be called ``time``.
                    return "", scope[node.id]
        if not isinstance(node, ast.Attribute):
            return "", _UNKNOWN
        _, owner = self._resolve(node.value)
        if owner is _UNKNOWN:
            return "", _UNKNOWN
        if isinstance(owner, ModuleType):
            return f"{owner.__name__}.{node.attr}", vars(owner).get(node.attr, _UNKNOWN)
        kinds = (owner if isinstance(owner, type) else type(owner)).__mro__
        holder = next((kind for kind in kinds if node.attr in vars(kind)), kinds[0])
        return f"{name_of(holder)}.{node.attr}", _UNKNOWN

    def _is_builtin(self, node: ast.expr, names: Collection[str]) -> bool:
        if not (isinstance(node, ast.Name) and node.id in names):
            return False
        return self._resolve(node)[1] is getattr(builtins, node.id)

    def _forbids(self, node: ast.expr, call: ast.Call | None = None) -> bool:
        """Tell (and note) whether this expression is something of the table."""
        name, value = self._resolve(node)
        name = canonical(name)
        if isinstance(value, type):
            # Naming a class (in isinstance, except, an annotation) does nothing.
            if call is None or issubclass(value, BaseException):
                return False
            name = name_of(cast("object", value))
        elif isinstance(value, ModuleType | Enum):
            return False
        elif value is not _UNKNOWN and name not in FORBIDDEN:
            name = name_of(value)
        instead = instead_of(name)
        if instead is None or (name in ARGUMENTS and not (call and _given(call) < ARGUMENTS[name])):
            return False
        self._add(node, name.replace("os._Environ", "os.environ") + ("()" if call else ""), instead)
        return True

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load) or self._forbids(node) or id(node) in self._calm:
            return
        _, value = self._resolve(node)
        changes = not node.id.isupper() or node.id in self._source.changed()
        if node.id not in self._names and isinstance(value, _CONTAINERS) and changes:
            self._add(node, f"reads {node.id!r}, which lives outside the actor and may change", _STATE)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._forbids(node):
            self.visit(node.value)

    def visit(self, node: ast.AST) -> None:
        """Look at what a node changes before looking at the node."""
        if isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
            for target in changed_by(node):
                self._changes(target, called=isinstance(node, ast.Call))
        super().visit(node)

    def _changes(self, target: ast.expr, *, called: bool) -> None:
        root = root_of(target)
        if isinstance(target, ast.Attribute) and target.attr == "__class__":
            self._add(target, "changes its class, which all actors share", _STATE)
        elif root and root.id not in self._names:
            self._calm.add(id(root))
            # ``add`` and ``update`` are also verbs of things that are no containers.
            known = self._resolve(target)[1], self._resolve(root)[1]
            if not called or any(isinstance(value, _CHANGEABLE) for value in known):
                self._add(target, f"changes {root.id!r}, which lives outside the actor", _STATE)

    def visit_Global(self, node: ast.Global) -> None:
        self._add(node, f"writes the module's variable {', '.join(node.names)}", _STATE)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        # A function inside the handler may write to the handler's own variables.
        if outer := [name for name in node.names if name in self._outer]:
            self._add(node, f"writes {', '.join(outer)}, which lives outside the actor", _STATE)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        module = getattr(node, "module", None)
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            found = vars(sys.modules.get(module, ast)).get(alias.name) if module else sys.modules.get(whole)
            self._names[alias.asname or whole] = _UNKNOWN if found is None else found
        names = [module or "."] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if any(name.partition(".")[0] != "actorflow" for name in names):
            self._add(node, f"imports {', '.join(names)} at run time", str(instead_of("import")))

    visit_ImportFrom = visit_Import

    # ---- functions, errors, awaits ----

    def _parameters(self, arguments: ast.arguments) -> None:
        for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if annotates_set(parameter.annotation):
                self._sets.add(parameter.arg)
        for default in (*arguments.defaults, *arguments.kw_defaults):
            display = isinstance(
                default, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
            )
            made = isinstance(default, ast.Call) and self._is_builtin(default.func, _MAKERS)
            if default and (display or made):
                self._add(default, "has a default that can be changed", _DEFAULT)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._parameters(node.args)
        for part in (*node.decorator_list, *node.body):
            self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._parameters(node.args)
        self.visit(node.body)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        # Cancelled is a BaseException, and must get through.
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
        everything = not kinds or any(self._is_builtin(kind, {"BaseException"}) for kind in kinds)
        if everything and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
            self._add(node, "catches everything and does not raise again", _CANCEL)
        self.generic_visit(node)

    def _foreign(self, node: ast.expr, verb: str) -> None:
        """Note an await on another package; those of Python and the event loops are in the table."""
        name, value = self._resolve(node.func if isinstance(node, ast.Call) else node)
        name = name_of(value) if callable(value) else name
        root = name.partition(".")[0]
        own = str(self._function.__module__).partition(".")[0]
        file = getattr(sys.modules.get(root), "__file__", None) or ""
        if root not in ("actorflow", own) and "-packages" in file and instead_of(name) is None:
            self._add(node, f"{verb} {name}", _AWAIT)

    def visit_Await(self, node: ast.Await) -> None:
        self._foreign(node.value, "awaits")
        self.visit(node.value)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        for item in node.items:
            self._foreign(item.context_expr, "enters")
        self.generic_visit(node)

    # ---- the order of sets ----

    def _is_set(self, node: ast.expr) -> bool:
        match node:
            case ast.Set() | ast.SetComp():
                return True
            case ast.Name(id=name):
                return name in self._sets or isinstance(self._resolve(node)[1], set | frozenset)
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                return owner == self._self and name in self._fields
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _SET_METHODS:
                return self._is_set(value)
            case ast.Call(func=function):
                return self._is_builtin(function, {"set", "frozenset"})
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
                return any(
                    self._is_set(side) or (_is_keys(side) and not _is_or(node)) for side in (left, right)
                )
            case ast.IfExp(body=left, orelse=right):
                return self._is_set(left) or self._is_set(right)
            case ast.BoolOp(values=values):
                return any(map(self._is_set, values))
            case ast.NamedExpr(value=value):
                return self._is_set(value)
            case _:
                return False

    def _orders(self, node: ast.expr) -> None:
        if self._is_set(node):
            self._add(node, "takes the elements of a set in order", _SORT)

    def visit_Call(self, node: ast.Call) -> None:
        values = [argument.value if isinstance(argument, ast.Starred) else argument for argument in node.args]
        if self._is_builtin(node.func, _CALM) or (
            id(node) in self._calm and self._is_builtin(node.func, _ORDERS)
        ):
            self._calm.update(map(id, values))
        elif self._is_builtin(node.func, _ORDERS):
            for value in values:
                self._orders(value)
        if isinstance(node.func, ast.Attribute):
            self._method(node, node.func)
        _, function = self._resolve(node.func)
        if isinstance(function, FunctionType) and function.__globals__ is self._function.__globals__:
            self.followed.append(function)
        if not self._forbids(node.func, node):
            self.visit(node.func)
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            self.visit(argument)

    def _method(self, node: ast.Call, method: ast.Attribute) -> None:
        match method.attr, node.args:
            case (("join" | "extend" | "fromkeys"), [values, *_]):
                self._orders(values)
            case "pop", []:
                self._orders(method.value)
            case "astimezone", [] if not node.keywords:
                self._add(node, "datetime.astimezone() without a zone", str(instead_of("locale")))
            case "strftime", [ast.Constant(value=str(form))] if any(mark in form for mark in _LOCALE):
                self._add(node, f"strftime({form!r})", str(instead_of("locale")))
            case _:
                pass

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self._orders(node.iter)
        if isinstance(node, ast.AsyncFor):
            self._foreign(node.iter, "iterates over")
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_ListComp(self, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> None:
        # It keeps the order of what it goes through, unless its reader does not care.
        for generator in node.generators:
            if id(node) not in self._calm:
                self._orders(generator.iter)
        self.generic_visit(node)

    visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_Starred(self, node: ast.Starred) -> None:
        if id(node.value) not in self._calm and isinstance(node.ctx, ast.Load):
            self._orders(node.value)
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List):
                self._orders(node.value)
            elif isinstance(target, ast.Name):
                (self._sets.add if self._is_set(node.value) else self._sets.discard)(target.id)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name) and annotates_set(node.annotation):
            self._sets.add(node.target.id)
        self.visit(node.target)
        if node.value:
            self.visit(node.value)


def _given(call: ast.Call) -> int:
    return len(call.args) + len(call.keywords)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # bound further down in the enclosing function
        return _UNKNOWN


def _is_keys(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("keys", "items")
    )


def _is_or(node: ast.BinOp) -> bool:
    return isinstance(node.op, ast.BitOr)  # of dictionaries, where it keeps the order
