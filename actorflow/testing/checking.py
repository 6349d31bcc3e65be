"""``check`` and ``machine``: a search for a story in which an entity does what it must not.

Hypothesis is imported only when somebody searches: who writes scenarios does without it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

from actorflow._authoring.activities import Activity
from actorflow._authoring.entity import findings_of, spec_of
from actorflow._authoring.handlers import Message
from actorflow.errors import CheckFailed, Divergence, NondeterminismError, UsageError

from .elsewhere import AWAY, Elsewhere

if TYPE_CHECKING:
    from types import ModuleType

    from hypothesis.stateful import RuleBasedStateMachine
    from hypothesis.strategies import SearchStrategy

    from .searching import Search

    Drawn = SearchStrategy[Any]

__all__ = ["check", "machine"]

EXAMPLES: Final = 200
STEPS: Final = 30
HOME: Final = "__hypothesis_home_directory"


def check(
    entity: type[Any],
    *,
    arguments: Mapping[Any, Mapping[str, Drawn]] | None = None,
    activities: Mapping[Any, Drawn] | None = None,
    state: Drawn | None = None,
    keys: Drawn | None = None,
    examples: int = EXAMPLES,
    steps: int = STEPS,
    seed: int | None = None,
    bounded: int = 0,
    elsewhere: bool = True,
) -> None:
    """Search for a story in which the entity does what it must not; raises ``CheckFailed`` with it.

    Values follow from type hints.  ``arguments`` says otherwise, by handler and parameter; ``activities``
    says what an activity, another entity's update, or a child (by its entity) can answer; ``state`` with
    what a life begins; ``keys`` what the actor is called.  The same ``seed`` searches the same way again.

    With ``bounded`` each message is also sent so many times, an hour apart, and the state must have stopped
    growing by half of them.  Unless ``elsewhere`` is false, the stories are replayed in one more process,
    under another hash seed and in another time zone, if the entity can be imported there.
    """
    if AWAY in os.environ:
        return
    seed = secrets.randbelow(2**32) if seed is None else seed
    options = "" if (examples, steps) == (EXAMPLES, STEPS) else f", examples={examples}, steps={steps}"
    repeat = f"check({entity.__name__}, seed={seed}{options})"
    hypothesis, made = _made(entity, arguments, activities, state, keys, repeat)
    made.kept = []
    found = _search(hypothesis, hypothesis.seed(seed)(made), examples, steps)
    if found is None and elsewhere:
        found = _away(made)
    if found is None and bounded:
        found = _growing(hypothesis, made, bounded, seed)
    findings = findings_of(entity)
    if found is None and findings:
        first = findings[0]
        what = NondeterminismError(f"{first.file}:{first.line}", first.what, first.instead)
        found = CheckFailed(entity.__name__, str(what), (), "", repeat)
    if found is not None:
        found.__notes__ = []  # the search's own; the story is what happened
        raise found from None


def machine(
    entity: type[Any],
    *,
    arguments: Mapping[Any, Mapping[str, Drawn]] | None = None,
    activities: Mapping[Any, Drawn] | None = None,
    state: Drawn | None = None,
    keys: Drawn | None = None,
) -> type[RuleBasedStateMachine]:
    """The search of ``check`` as a Hypothesis state machine, for settings and rules of your own.

    ``TestCart = machine(Cart).TestCase`` is a test.
    """
    repeat = "print_blob=True in its settings shows what"
    return _made(entity, arguments, activities, state, keys, repeat)[1]


def _made(
    entity: type[Any],
    arguments: Mapping[Any, Mapping[str, Drawn]] | None,
    activities: Mapping[Any, Drawn] | None,
    state: Drawn | None,
    keys: Drawn | None,
    repeat: str,
) -> tuple[ModuleType | Any, type[Search]]:
    spec = spec_of(entity)
    try:
        import hypothesis  # noqa: PLC0415 - see above
    except ImportError:
        raise UsageError("a search needs Hypothesis\n  hint: pip install hypothesis") from None
    from .searching import Plan, machine_of  # noqa: PLC0415 - they import Hypothesis

    for handler, given in (arguments or {}).items():
        if not isinstance(handler, Message) or spec.handlers.get(handler.name) is not handler.spec:
            raise UsageError(f"arguments= has {handler!r}, which is no handler of {spec.name}")
        unknown = sorted(given.keys() - set(handler.arguments.names))
        if unknown:
            takes = ", ".join(handler.arguments.names) or "nothing"
            raise UsageError(f"arguments= has {unknown[0]!r} of {handler.where}, which takes {takes}")
    answers = {_answerer(one): drawn for one, drawn in (activities or {}).items()}
    plan = Plan(entity, arguments or {}, answers, state, keys, repeat)
    return hypothesis, machine_of(plan)


def _answerer(one: object) -> str:
    """The name by which an answer is asked for."""
    if isinstance(one, Activity):
        return str(cast("object", one))
    if isinstance(one, Message):
        return one.where
    if isinstance(one, type):
        return spec_of(one).name
    raise UsageError(
        f"activities= has {one!r}\n  hint: give an activity, an update of another entity, or an entity"
    )


def _search(hypothesis: Any, made: type[Search], examples: int, steps: int) -> CheckFailed | None:
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - see above

    from .searching import quietly, told  # noqa: PLC0415 - the same

    settings = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],  # a story is shortened by its moves, which is quicker
        verbosity=hypothesis.Verbosity.quiet,
    )
    try:
        with _leaving_nothing(hypothesis), quietly():
            run_state_machine_as_test(made, settings=settings)
    except CheckFailed as failed:
        return failed.with_traceback(None)
    except hypothesis.errors.Flaky:
        # It failed, and the same story did not fail again: what it depends on is no part of the story.
        if made.first is None:
            raise
        return told(made.plan, *made.first)
    return None


def _away(made: type[Search]) -> CheckFailed | None:
    """Replay in another process what went well in this one."""
    from .searching import begin, quietly, replaying, told  # noqa: PLC0415 - they import Hypothesis
    from .story import shortened  # noqa: PLC0415 - the same

    there = Elsewhere(made.plan.entity)
    if not there.possible:
        return None
    with quietly():
        try:
            for moves, journal in made.kept or ():
                if journal.records and not there.gone:
                    try:
                        there.replay(journal)
                    except Divergence as wrong:
                        first = partial(begin, made, journal.key)
                        found = shortened([*moves, replaying(there)], wrong, first)
                        return told(made.plan, journal.key, *found)
        finally:
            there.close()
    return None


def _growing(hypothesis: Any, made: type[Search], times: int, seed: int) -> CheckFailed | None:
    """Repeat each message, and see whether the state goes on growing."""
    from .growth import growing  # noqa: PLC0415 - it imports Hypothesis

    return growing(hypothesis, made, times, seed)


@contextmanager
def _leaving_nothing(hypothesis: Any) -> Generator[None]:
    """Let Hypothesis keep what it likes to keep in a folder that goes, and not in one of the user's."""
    configuration: Any = hypothesis.configuration
    kept: Any = getattr(configuration, HOME, None)
    with TemporaryDirectory(prefix="actorflow-") as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            configuration.set_hypothesis_home_dir(kept)
