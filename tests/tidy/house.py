"""The rules of the house that a program can check: each reads one file's text and answers with complaints.

Knows nothing of pytest.  ``test_house.py`` asks these of every file, and shows that each can complain.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES_MAX = 400
SHIPPED = ("actorflow", "persistence", "entities")
_LEFT_BEHIND = {"build", "dist", "__pycache__", "node_modules"}
_TEXTS = {".py", ".pyi", ".md", ".toml", ".txt", ".yml", ".yaml", ".cfg"}


def files(*suffixes: str) -> Iterator[Path]:
    """The files that people write here, of these kinds or of all, without what tools leave behind."""
    wanted = set(suffixes) or _TEXTS
    for folder, below, names in os.walk(ROOT):
        below[:] = sorted(name for name in below if name == ".ci" or not name.startswith((".", "_pycache")))
        below[:] = [name for name in below if name not in _LEFT_BEHIND]
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix in wanted or (not suffixes and (name == "Makefile" or path.parent.name == ".ci")):
                yield path


def modules() -> list[str]:
    """The Python files, as paths from the root; without those that hold mistakes on purpose."""
    paths = (path.relative_to(ROOT).as_posix() for path in files(".py"))
    return [path for path in paths if not path.startswith("tests/typing/")]


# ---- names -------------------------------------------------------------------------------------------


@cache
def banned() -> dict[str, str]:
    """The words that no name may hold, each with the word to use instead: read from the glossary."""
    words: dict[str, str] = {}
    for line in (ROOT / "docs/glossary.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3:
            words.update((word.lower(), cells[0].strip("*")) for word in re.findall(r"`(\w+)`", cells[2]))
    return words


def _defined(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that a module makes up itself, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case (
                ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
            ):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name
            case _:
                pass


def _words(name: str) -> list[str]:
    """``MailboxFull``, ``mailbox_full`` and ``MAILBOX_FULL`` are all mailbox and full."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def names(path: str, text: str) -> Iterator[str]:
    """One word per concept: no name is made of a word that the glossary turned down."""
    excused = {number for number, line in enumerate(text.splitlines(), 1) if "# glossary:" in line}
    places = [(0, part) for part in Path(path).with_suffix("").parts]
    for line, name in [*places, *_defined(ast.parse(text))]:
        for word in _words(name):
            if word in banned() and line not in excused:
                yield f"{path}:{line}: '{name}': the glossary says {banned()[word]!r}, not {word!r}"


# ---- texts -------------------------------------------------------------------------------------------


def length(path: str, text: str) -> Iterator[str]:
    """A file is read in one sitting, or says why it is long."""
    lines = text.count("\n")
    if lines > LINES_MAX and not re.search(r"^# Long because \w+", text, re.MULTILINE):
        yield f"{path}: {lines} lines; split it, or say '# Long because …' (at most {LINES_MAX})"


def opening(path: str, text: str) -> Iterator[str]:
    """A module's first line says, as a sentence, what it knows."""
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0].strip()
    if len(first.split()) < 3 or first[-1] not in ".?:":
        yield f"{path}:1: the docstring's first line is no sentence: {first!r}"


def promises(path: str, text: str) -> Iterator[str]:
    """Every test says, in at least one sentence, which promise it keeps."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            promise = ast.get_docstring(node) or ""
            if len(promise.split()) < 3 or not re.search(r"[.?!]", promise):
                yield f"{path}:{node.lineno}: {node.name} does not say what it promises"


_UNFINISHED = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X])\b")
_MACHINE = re.compile(r"(?<![\w.~*}])/(?:home|root|Users|work|mnt|opt|tmp)/\w|\b[A-Z]:\\\\?Users\b")


def leftovers(path: str, text: str) -> Iterator[str]:
    """Nothing unfinished, no place that exists on one machine only, and no tab."""
    for number, line in enumerate(text.splitlines(), 1):
        if _UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished: {line.strip()}"
        if _MACHINE.search(line):
            yield f"{path}:{number}: a path of one machine: {line.strip()}"
        if "\t" in line and not path.endswith("Makefile"):
            yield f"{path}:{number}: a tab"


def links(path: str, text: str) -> Iterator[str]:
    """A link from a page to a file, or to a heading in it, leads somewhere."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = (ROOT / path).parent / name if name else ROOT / path
        if not page.exists():
            yield f"{path}: the link to {target} leads nowhere"
        elif anchor and anchor not in _anchors(page.read_text("utf-8") if name else text):
            yield f"{path}: {target} names no heading there"


def _anchors(text: str) -> set[str]:
    """The headings of a page, as links write them."""
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def asks(path: str, text: str) -> Iterator[str]:
    """A benchmark states its question, and answers it with ``cases(size)``."""
    tree = ast.parse(text)
    if "?" not in (ast.get_docstring(tree) or "").partition("\n\n")[0]:
        yield f"{path}:1: the docstring does not begin with a question"
    made = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "cases"]
    if not any([argument.arg for argument in node.args.args] == ["size"] for node in made):
        yield f"{path}: no cases(size)"
