"""Is the house in order?  Each rule is asked of every file it is for, and shown what it must not like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.tidy import house

Rule = Callable[[str, str], Iterator[str]]


def obey(rule: Rule, paths: Iterable[str]) -> None:
    """Fail with everything that a rule has to say about these files, a line for each complaint."""
    said = [line for path in paths for line in rule(path, (house.ROOT / path).read_text("utf-8"))]
    if said:
        pytest.fail("\n".join(said), pytrace=False)


def _in(*folders: str) -> list[str]:
    return [path for path in house.modules() if path.partition("/")[0] in folders]


def _pages() -> list[str]:
    return [path.relative_to(house.ROOT).as_posix() for path in house.files(".md")]


def test_one_word_per_concept() -> None:
    """No name that is shipped is made of a word that the glossary turned down."""
    obey(house.names, _in(*house.SHIPPED))


def test_files_are_read_in_one_sitting() -> None:
    """A shipped file has at most 400 lines, or says in a comment why it has more."""
    obey(house.length, _in(*house.SHIPPED))


def test_modules_say_what_they_know() -> None:
    """Every module begins with a sentence about itself."""
    obey(house.opening, house.modules())


def test_tests_say_what_they_promise() -> None:
    """Every test has a docstring that states the promise it keeps."""
    obey(house.promises, _in("tests"))


def test_nothing_is_left_lying_about() -> None:
    """No file holds unfinished business, a path of one machine, or a tab."""
    obey(house.leftovers, [path.relative_to(house.ROOT).as_posix() for path in house.files()])


def test_links_between_pages_lead_somewhere() -> None:
    """A reader who follows a link of the docs arrives."""
    obey(house.links, _pages())


def test_benchmarks_ask_a_question() -> None:
    """Every question is asked in a docstring, and has cases; the peers have a frame of their own."""
    questions = [path for path in _in("benchmarks") if path.count("/") == 1]
    obey(house.asks, [path for path in questions if not path.startswith("benchmarks/_")])


def test_the_glossary_bans_something() -> None:
    """The banned words are really read from the table: a page that lost it would ban nothing."""
    assert house.banned()["workflow"] == "entity"
    assert len(house.banned()) > 20


PLANTED: list[tuple[Rule, str, str]] = [
    (house.names, "a.py", "class CartWorkflow: ..."),
    (house.names, "a.py", "cart_workflow = 1"),
    (house.names, "a.py", "def add(self, workflow): self.items = 1"),
    (house.names, "a.py", "def add(self, cart): self._helper = 1"),
    (house.names, "a.py", "import cart as workflow"),
    (house.names, "actorflow/utils.py", ""),
    (house.length, "a.py", "x = 1\n" * 401),
    (house.opening, "a.py", "x = 1\n"),
    (house.opening, "a.py", '"""Carts."""\n'),
    (house.promises, "a.py", "async def test_x(): ..."),
    (house.promises, "a.py", 'class TestX:\n    def test_x(self):\n        """Works."""\n'),
    (house.leftovers, "a.md", "# TO" + "DO: later"),
    (house.leftovers, "a.md", "see /" + "home/somebody/actorflow"),
    (house.leftovers, "a.py", "if x:\n\tpass"),
    (house.links, "docs/glossary.md", "[there](nowhere.md)"),
    (house.links, "docs/glossary.md", "[there](architecture.md#no-such-heading)"),
    (house.links, "README.md", "[there](docs/nowhere.md)"),
    (house.asks, "benchmarks/x.py", '"""How fast is it?"""\ndef cases(argv): ...\n'),
    (house.asks, "benchmarks/x.py", '"""How fast is it?"""\ndef main(size): ...\n'),
    (house.asks, "benchmarks/x.py", '"""It is fast."""\ndef cases(size): ...\n'),
    (house.asks, "benchmarks/x.py", '"""It is fast.\n\nIs it?\n"""\ndef cases(size): ...\n'),
]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_a_rule_complains(rule: Rule, path: str, text: str) -> None:
    """Every rule finds what was planted for it, so its silence means something."""
    assert list(rule(path, text))


EXCUSED: list[tuple[Rule, str, str]] = [
    (house.names, "a.py", "event = 1  # glossary: the name in somebody else's protocol"),
    (house.names, "a.py", "print(trio.Event().set)"),
    (house.length, "a.py", "# Long because errors are read side by side.\n" * 401),
    (house.leftovers, "a.md", "https://example.org/home/page"),
    (house.links, "docs/glossary.md", "[there](architecture.md#the-layers), [out](https://example.org/x)"),
]


@pytest.mark.parametrize(("rule", "path", "text"), EXCUSED)
def test_a_rule_is_fair(rule: Rule, path: str, text: str) -> None:
    """What is excused, or was never meant, is not complained about."""
    assert not list(rule(path, text))
