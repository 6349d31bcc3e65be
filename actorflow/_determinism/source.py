"""A handler's source: the parsed file, the function in it, and what its nodes mean by their form alone.

Knows nothing of what is forbidden, nor of the values that names stand for.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FunctionNode", "Source", "annotates_set", "changed_by", "local_names", "root_of", "source_of"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_SETS = frozenset({"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"})
_CHANGES = frozenset(
    {
        *(
            "add",
            "append",
            "appendleft",
            "clear",
            "discard",
            "extend",
            "extendleft",
            "insert",
            "pop",
            "popitem",
        ),
        *("popleft", "remove", "reverse", "setdefault", "sort", "update"),
        *("difference_update", "intersection_update", "symmetric_difference_update"),
    },
)


class Source:
    """A parsed file: its lines, and its functions by the line they begin at."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        self.functions: dict[tuple[int, str], ast.FunctionDef | ast.AsyncFunctionDef] = {}
        self._changed: frozenset[str] | None = None
        todo: list[ast.AST] = [self.tree]
        for node in todo:  # statements only: most nodes of a file are expressions
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
                self.functions[first, node.name] = node
            for part in ("body", "orelse", "handlers", "finalbody", "cases"):
                todo += statements if isinstance(statements := getattr(node, part, ()), list) else ()

    def find(self, code: CodeType) -> FunctionNode | None:
        """Answer the node that was compiled to ``code``; of two lambdas on one line, neither."""
        if code.co_name != "<lambda>":
            return self.functions.get((code.co_firstlineno, code.co_name))
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.Lambda)]
        here = [node for node in found if node.lineno == code.co_firstlineno]
        return here[0] if len(here) == 1 else None

    def changed(self) -> frozenset[str]:
        """Answer the names through which some function of the file changes something."""
        if self._changed is None:
            inner = (node for function in self.functions.values() for node in ast.walk(function))
            roots = (root_of(target) for node in inner for target in changed_by(node))
            self._changed = frozenset(root.id for root in roots if root)
        return self._changed


_parsed = lru_cache(maxsize=8)(Source)


def source_of(function: FunctionType) -> Source | None:
    """Answer the file that a function was written in, if there is one and it is what was imported."""
    file = function.__code__.co_filename
    linecache.checkcache(file)
    # What attrs generates has a source too, and is none of the author's concern.
    text = "" if " generated " in file else "".join(linecache.getlines(file, function.__globals__))
    try:
        return _parsed(text) if text else None
    except (SyntaxError, ValueError):  # the file is not what was imported
        return None


# ---- what nodes mean ---------------------------------------------------------------------------------


def changed_by(node: ast.AST) -> Iterator[ast.expr]:
    """Answer what this node changes in place: ``x``, in ``x[1] = 2``, ``del x.y`` and ``x.append(2)``."""
    match node:
        case ast.Subscript() | ast.Attribute() if not isinstance(node.ctx, ast.Load):
            yield node.value
        case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in _CHANGES:
            yield value
        case _:
            pass


def root_of(node: ast.expr) -> ast.Name | None:
    """Answer the name at the beginning of ``x.y[1]``."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node if isinstance(node, ast.Name) else None


def annotates_set(node: ast.expr | None) -> bool:
    """Tell whether an annotation says that something is a set."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _SETS
        case ast.Subscript(value=value):
            return annotates_set(value)
        case ast.BinOp(left=left, right=right):
            return annotates_set(left) or annotates_set(right)
        case ast.Constant(value=str(text)):
            return text.partition("[")[0].rpartition(".")[2].strip() in _SETS
        case _:
            return False


def local_names(code: CodeType) -> set[str]:
    """Answer the names that are local to a function, those of the functions inside it included."""
    inner = (local_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return {*code.co_varnames, *code.co_cellvars}.union(*inner)
