"""Are the mistakes what they are said to be, is each judgement of one that exists, and do runs add up?"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tests.tidy.house import ROOT

from .judged import JUDGED
from .kept import HERE, HUNG, NOTICED, SURVIVED, Kept, Sum, Tried
from .mistakes import Mistake, code_of, mistakes, texts
from .targets import TARGETS

SOURCE = '''
class Box:
    def put(self, n):
        """Doc."""
        if n > 1 and not self.full:
            self.held = n
            self.tell(
                n + 1,
            )
        return self.held

def double(n):
    return n + n + 0 if n is not None else 2
'''


@cache
def every(module: str) -> list[Mistake]:
    """All mistakes that can be made in a module, without importing it."""
    return list(mistakes((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8")))


def test_a_judgement_is_of_a_mistake_that_exists() -> None:
    """Where code has changed, what was judged of it has to be looked at again."""
    there = {f"{module}.{one}" for module in TARGETS for one in every(module)}
    assert [name for name in JUDGED if name not in there] == []
    assert all(reason and reason.strip() == reason for reason in JUDGED.values())
    assert "actorflow._core.step.step: nothing -> nothing" not in there, "the control"


def test_each_mistake_has_a_name_of_its_own() -> None:
    """Otherwise a judgement of one would be one of another, unseen."""
    for module in TARGETS:
        names = [str(one) for one in every(module)]
        assert len(names) == len(set(names)) > 0


def test_a_name_lasts() -> None:
    """Lines added above, and comments, leave names and digests as they were; other code does not."""
    moved = "# more\n\n" + SOURCE.replace("        if n", "        # why\n        if n")
    assert [str(one) for one in mistakes(moved)] == [str(one) for one in mistakes(SOURCE)]
    assert texts(moved) == texts(SOURCE)
    changed = texts(SOURCE.replace("n + n", "n * 2"))
    assert (changed["Box.put"], changed["double"]) != (texts(SOURCE)["Box.put"], texts(SOURCE)["double"])
    assert changed["Box.put"] == texts(SOURCE)["Box.put"]


def test_mistakes_are_these() -> None:
    """Comparisons, numbers, sums, conditions, calls, attributes and answers; each with its lines."""
    made = {str(one): (one.lines.start, one.lines.stop) for one in mistakes(SOURCE)}
    assert made["Box.put: n > 1 -> n >= 1"] == (5, 6)
    assert made["Box.put: self.held = n -> pass"] == (6, 7)
    assert made["Box.put: n + 1 -> n - 1"] == (7, 10)
    assert made["Box.put: return self.held -> return None"] == (10, 11)
    assert made["Box.put: if n > 1 and (not self.full): -> if not (n > 1 and (not self.full)):"] == (5, 6)
    assert "Box.put: not self.full -> self.full" in made
    assert "double: n + n -> n - n" in made


def test_a_mistake_is_in_the_code() -> None:
    """What is compiled does the one thing otherwise, and everything else as before."""
    space: dict[str, Any] = {}
    exec(compile(SOURCE, "box", "exec"), space)  # noqa: S102 - a text of our own
    double = space["double"]
    answers: dict[str, tuple[object, object]] = {}
    for one in mistakes(SOURCE):
        if one.function == "double" and one.was != "n is not None":
            double.__code__ = code_of(SOURCE, "box", one)
            answers[one.does] = double(3), double(None)
    assert answers["n + n - 0"] == (6, 2), "plus and minus nothing are the same"
    assert answers["n - n"] == (0, 2)
    assert answers["3"] == (6, 3)
    assert answers["1"] == (7, 2)
    assert answers["return None"] == (None, None)


def test_what_became_of_a_mistake_is_kept(tmp_path: Path) -> None:
    """While the text of its function is the same; of another text nothing is known."""
    file = tmp_path / "run.json"
    found = [one for one in mistakes(SOURCE) if one.function == "double"]
    fates = [NOTICED, SURVIVED, HUNG]
    kept = Kept(file)
    kept.expect("m", {"double": "a"}, {"double": len(found)})
    for one, fate in zip(found, fates, strict=False):
        kept.note(Tried("m", one, fate))
    assert kept.sums() == {"m": Sum(1, 1, 1, len(found) - 3)}
    again = Kept(file)
    again.expect("m", {"double": "a"}, {"double": len(found)})
    assert [again.fate("m", "double", place) for place in range(4)] == [*fates, None]
    again.expect("m", {"double": "b"}, {"double": len(found)})
    assert again.sums() == {"m": Sum(0, 0, 0, len(found))}


def test_the_run_that_is_kept_is_of_these_modules() -> None:
    """The page tells of it; what survived in it was judged, if it is still there."""
    kept = Kept(HERE)
    assert set(kept.fates) == set(TARGETS)
    for module, functions in kept.fates.items():
        digests = texts((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
        for one in every(module):
            digest, fates = functions.get(one.function, ["", ""])
            if digest == digests[one.function] and fates[one.place] == "s":
                assert f"{module}.{one}" in JUDGED
