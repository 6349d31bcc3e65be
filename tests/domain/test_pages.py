"""Do the pages about patterns quote the entities as they are?  And do they name what is there?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/patterns").glob("*.md"))
QUOTE = re.compile(r"^<!-- not run: from (\S+) -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def wrong_quotes(text: str) -> list[str]:
    """The quotes of a page that do not stand in the file they are from."""
    return [code for path, code in QUOTE.findall(text) if code not in (ROOT / path).read_text("utf-8")]


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_what_a_page_quotes_is_in_the_entity(page: str) -> None:
    """A reader who opens the file finds the lines that the page shows."""
    assert wrong_quotes((ROOT / "docs/patterns" / page).read_text("utf-8")) == []


def test_a_wrong_quote_is_noticed() -> None:
    """The pages do quote; and a line that is not there is found."""
    assert [page.name for page in PAGES if QUOTE.search(page.read_text("utf-8"))]
    text = "<!-- not run: from entities/topic.py -->\n```python\nclass Nowhere: ...\n```\n"
    assert wrong_quotes(text) == ["class Nowhere: ...\n"]


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_what_a_page_names_is_there(page: str) -> None:
    """Files of entities and tests that a page names exist."""
    text = (ROOT / "docs/patterns" / page).read_text("utf-8")
    named = set(re.findall(r"\b((?:entities|tests)/[\w/]+\.py)", text))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
