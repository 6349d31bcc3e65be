"""Whether a state goes on growing while the same message comes again and again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from actorflow._authoring.handlers import Signal, Update
from actorflow._core import facts, phases
from actorflow.errors import ActorflowError, CheckFailed, UsageError

from .scenario import FATAL, Scenario
from .searching import Search, begin, quietly, sending, told

__all__ = ["growing"]

APART = timedelta(hours=1)
ROUNDS = 5
"""So many arguments are tried for each message."""
SHOWN = 3
"""So many of all those messages are told."""
BYTES = 8
"""A message that is kept takes more than a number that counts it."""


def growing(hypothesis: Any, made: type[Search], times: int, seed: int) -> CheckFailed | None:
    """Repeat each message with the same arguments; gives the first that the state never stops growing by."""

    @hypothesis.seed(seed)  # type: ignore[untyped-decorator]
    @hypothesis.settings(  # type: ignore[untyped-decorator]
        max_examples=ROUNDS,
        deadline=None,
        database=None,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())  # type: ignore[untyped-decorator]
    def search(data: st.DataObject) -> None:
        for handler, drawn in made.messages:
            report = _repeated(made, handler, data, drawn, times)
            if report is not None:
                raise report

    try:
        with quietly():
            search()
    except CheckFailed as failed:
        return failed.with_traceback(None)
    return None


def _repeated(
    made: type[Search],
    handler: Signal[Any, ...] | Update[Any, ..., Any],
    data: st.DataObject,
    drawn: Any,
    times: int,
) -> CheckFailed | None:
    search = made()
    scenario = begin(made, search.key)
    search.use(scenario)
    try:
        if made.initial is not None:
            scenario.start(data.draw(made.initial))
        args, kwargs = data.draw(drawn)
        answers: dict[str, bytes] = {}
        half = 0
        for number in range(1, times + 1):
            if search.actor.phase not in (phases.VACANT, phases.RUNNING):
                return None
            _sent(scenario, handler, args, kwargs)
            for _, one in search.answerable():
                if one.name not in answers:
                    answers[one.name] = data.draw(search.answers_of(one))[1]
                scenario.resolve_ref(one.ref, facts.OK, answers[one.name])
            scenario.advance(APART)
            if number == times // 2:
                half = _size(scenario)
        whole = _size(scenario)
    except FATAL:
        return None  # which is for the search to find
    finally:
        search.teardown()
    if whole - half < BYTES * (times - times // 2) // 4:
        return None
    what = (
        f"its state goes on growing: {half} bytes after {times // 2} times {handler.name}, "
        f"{whole} after {times}\n"
        "  hint: keep so many of them, or for so long, and forget the oldest"
    )
    move = sending(made.plan.entity, handler, args, kwargs, None)
    return told(made.plan, search.key, [move] * SHOWN, UsageError(what))


def _sent(scenario: Scenario[Any], handler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        getattr(scenario, handler.word)(handler, *args, **kwargs)
    except FATAL:
        raise
    except ActorflowError:
        pass  # refused, which makes nothing grow


def _size(scenario: Scenario[Any]) -> int:
    state = scenario._actor.state  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - one tool in several files
    return 0 if state is None else len(scenario._actor.spec.dump(state))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - the same
