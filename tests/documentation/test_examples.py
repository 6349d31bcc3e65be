"""Does what readers are shown run?  Every block of Python in the README and the docs, as it is printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from actorflow import NondeterminismWarning
from tests.documentation import pages


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module for one page, to be found by its name while it runs, as those who resolve hints need it."""
    made = ModuleType("shown_to_readers")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


@pytest.mark.parametrize("page", [page for page in pages.pages() if pages.examples(pages.read(page))])
def test_what_a_page_shows_runs_as_printed(
    page: str, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of a page run in order, in an empty folder, and the tests that they define pass."""
    monkeypatch.chdir(tmp_path)
    for example in pages.examples(pages.read(page)):
        pages.run(example, page, module)
    for name, shown in list(vars(module).items()):
        if name.startswith("test_"):
            pages.run_test(shown)


def test_the_readme_shows_a_test() -> None:
    """The first page holds an entity and a test of it, or the one above would promise nothing."""
    shown = "\n".join(example.code for example in pages.examples(pages.read("README.md")))
    assert "@entity" in shown
    assert "def test_" in shown


def test_an_example_that_fails_is_noticed(module: ModuleType) -> None:
    """A block that raises is found, and its traceback names the page and its line."""
    text = "# A page\n\n```python\nx = 1\nassert x == 2\n```\n"
    (example,) = pages.examples(text)
    with pytest.raises(AssertionError) as caught:
        pages.run(example, "docs/a.md", module)
    assert [(place.path, place.lineno + 1) for place in caught.traceback][-1] == (
        "<docs/a.md, the block at line 4>",
        5,
    )


def test_a_console_is_run(module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block with a file's name is that file; what a console prints is compared, what differs shown."""
    monkeypatch.chdir(tmp_path)
    text = "```python\n# a.py\nprint('one', 1.5)\n```\n\n"
    text += "```console\n$ python a.py\none ...\n$ kill -9 $$\nKilled\n```\n"
    for example in pages.examples(text):
        pages.run(example, "docs/a.md", module)
    for code in ("$ python a.py\ntwo\n", "$ python b.py\n...", "$ python a.py\n"):
        with pytest.raises(AssertionError, match=r"docs/a\.md: \$ python"):
            pages.run(pages.Example(1, code, console=True), "docs/a.md", module)


def test_an_example_is_linted(module: ModuleType) -> None:
    """The lint reads what a page shows: an example that looks at the clock in a handler is noticed."""
    code = (
        "import time\nfrom actorflow import entity, signal\n\n@entity\nclass Clock:\n    at: float = 0.0\n\n"
    )
    code += "    @signal\n    def look(self) -> None:\n        self.at = time.time()\n"
    with pytest.warns(NondeterminismWarning, match=r"time\.time"):
        pages.run(pages.Example(1, code), "docs/a.md", module)


def test_an_excuse_has_a_reason() -> None:
    """A block is left out where the line before says why, and only there."""
    block = "```python\nraise SystemExit\n```\n"
    assert pages.examples(f"<!-- not run: the runtime is not there yet -->\n{block}") == []
    assert len(pages.examples(f"<!-- not run: -->\n{block}")) == 1
    assert len(pages.examples(f"<!-- not run: because -->\n\n{block}")) == 1
