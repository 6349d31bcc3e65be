"""Which mistakes can be made in a function: small changes of its syntax tree, each with a name that lasts."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from hashlib import sha256
from types import CodeType
from typing import Final, NamedTuple

__all__ = ["Mistake", "code_of", "mistakes", "texts"]

COMPARES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
SUMS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.FloorDiv: ast.Mult,
}


class Mistake(NamedTuple):
    """One change to one function."""

    function: str
    """Its qualified name."""
    line: int
    was: str
    does: str
    place: int
    """Which of the changes to this function, in the order of the text."""
    nth: int
    """Which of those that read the same, from 1."""
    lines: range
    """Those of the statement, or of its head: who never comes there cannot notice."""

    def __str__(self) -> str:
        again = f" (the {self.nth}.)" if self.nth > 1 else ""
        return f"{self.function}: {self.was} -> {self.does}{again}"


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in place of a node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARES:
            changed = deepcopy(node)
            changed.ops = [COMPARES[type(op)]()]
            yield changed
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value + 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in SUMS:
            yield ast.BinOp(left, SUMS[type(op)](), right)
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in SUMS:
            yield ast.AugAssign(target, SUMS[type(op)](), value)
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.Delete():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.If(test=test, body=body, orelse=orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case _:
            pass


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


class _Change(ast.NodeTransformer):
    """Makes the change at a place, and counts on the way."""

    def __init__(self, place: int) -> None:
        self.left = place
        self.made: tuple[ast.AST, ast.AST] | None = None

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Assert | ast.Raise | ast.arguments):
            return node  # what is asserted is believed; the text of an error decides nothing
        if self.made is None:
            for change in _changes(node):
                if self.left == 0:
                    self.made = node, change
                    return ast.fix_missing_locations(ast.copy_location(change, node))
                self.left -= 1
        return self.generic_visit(node)


def _functions(body: list[ast.stmt], within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield within + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{within}{node.name}.")


def _told(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:80]


def mistakes(source: str) -> Iterator[Mistake]:
    """Every mistake that can be made in a module, function by function."""
    for name, function in _functions(ast.parse(source).body):
        place = 0
        alike: Counter[tuple[str, str]] = Counter()
        while True:
            change = _Change(place)
            copy = deepcopy(function)
            copy.body = [change.visit(one) for one in copy.body]  # type: ignore[misc]
            if change.made is None:
                break
            was, does = map(_told, change.made)
            alike[was, does] += 1
            line = getattr(change.made[0], "lineno", function.lineno)
            yield Mistake(name, line, was, does, place, alike[was, does], _around(function, line))
            place += 1


def _around(function: ast.FunctionDef, line: int) -> range:
    """The lines of the innermost statement at a line, without those of the statements within it."""
    found = range(function.lineno, function.lineno + 1)
    for one in ast.walk(function):
        if isinstance(one, ast.stmt) and one is not function and one.lineno <= line:
            within = [part.lineno for part in ast.walk(one) if isinstance(part, ast.stmt) and part is not one]
            end = max(one.lineno + 1, min(within)) if within else (one.end_lineno or one.lineno) + 1
            if line < (one.end_lineno or one.lineno) + 1 and one.lineno >= found.start:
                found = range(one.lineno, end)
    return found


def texts(source: str) -> dict[str, str]:
    """Every function, and a digest of its text: another one where it has changed, comments aside."""
    functions = _functions(ast.parse(source).body)
    return {name: sha256(ast.unparse(one).encode()).hexdigest()[:12] for name, one in functions}


def code_of(source: str, file: str, mistake: Mistake) -> CodeType:
    """The code of the function with the mistake in it."""
    tree = ast.parse(source)
    function = dict(_functions(tree.body))[mistake.function]
    change = _Change(mistake.place)
    function.body = [change.visit(one) for one in function.body]  # type: ignore[misc]
    pending = [compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)]
    while pending:
        code = pending.pop()
        if code.co_qualname == mistake.function:
            return code
        pending += [one for one in code.co_consts if isinstance(one, CodeType)]
    raise LookupError(mistake.function)
