"""Counts what a run of the tests tried, also where it is spread over processes; ``--faults FILE`` keeps it.

A test is one case, a parametrized one as many as it has parameters, and one of Hypothesis as many as it had
examples.  A test that tries several situations in a loop says so with ``tried``.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from .runs import Run, Tried
from .table import ROWS, controls, named, tests

__all__ = ["Counting", "tried"]

PROPERTY: Final = "tried"

_cases = 0
"""Of the test that runs in this process: one runs at a time."""


def tried(cases: int = 1) -> None:
    """The test that runs has tried so many situations more."""
    global _cases  # noqa: PLW0603 - whoever calls it knows neither its test nor its process
    _cases += cases


class Counting:
    """A plugin: where a test runs its report is told what it tried; where reports arrive that is gathered."""

    def __init__(self, config: pytest.Config, proof: str) -> None:
        self._config = config
        self._proof = proof
        self._began = time.monotonic()
        self._skipped = 0
        self._tried: dict[str, Tried] = {}

    # ---- where a test runs ---------------------------------------------------------------------------

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Count the examples of Hypothesis, at the place that it keeps for plugins."""
        seen: set[int] = set()
        for item in items:
            given: Any = getattr(getattr(item, "obj", None), "hypothesis", None)
            if hasattr(given, "inner_test") and id(given) not in seen:
                seen.add(id(given))
                given.inner_test = _counted(given.inner_test)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Properties of a report cross from the worker to whoever prints."""
        global _cases  # noqa: PLW0603 - see tried
        report = yield
        if call.when == "call":
            report.user_properties.append((PROPERTY, _cases))
        _cases = 0
        return report

    # ---- where reports arrive ------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test."""
        name = report.nodeid.partition("[")[0].removeprefix("tests/")
        so_far = self._tried.get(name, Tried(0, 0, 0.0))
        ran = report.when == "call" and report.passed
        told = [
            number for key, number in report.user_properties if key == PROPERTY and isinstance(number, int)
        ]
        cases = max(1, sum(told)) if ran else 0
        self._skipped += report.skipped
        self._tried[name] = Tried(so_far.tests + ran, so_far.cases + cases, so_far.seconds + report.duration)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line, if all tests of the table ran; and the file, if one is wanted."""
        run = self.run()
        if run.whole:
            terminalreporter.write_line(
                f"faults: {len(ROWS)} rows tried in {sum(one.cases for one in run.tried.values()):,} cases, "
                f"controls among them; --seed {run.seed}, {run.seconds} s"
            )
        if file := self._config.option.faults:
            Path(file).write_text(run.written(), "utf-8")

    def run(self) -> Run:
        """What has been gathered."""
        wanted = tests() + controls()
        passed = {name: one for name, one in sorted(self._tried.items()) if one.tests}
        return Run(
            date=datetime.now(UTC).date().isoformat(),
            proof=self._proof,
            whole=all(any(named(name, one) for name in passed) for one in wanted),
            seed=self._config.option.seed,
            seconds=round(time.monotonic() - self._began),
            processes=len(getattr(self._config.option, "tx", None) or "1"),
            tests=sum(one.tests for one in passed.values()),
            skipped=self._skipped,
            cases=sum(one.cases for one in passed.values()),
            figures=self._figures(),
            tried={
                name: one._replace(seconds=round(one.seconds, 1))
                for name, one in passed.items()
                if any(named(name, one) for one in wanted)
            },
        )

    def _figures(self) -> dict[str, int]:
        if self._config.option.faults is None:
            return {}
        from .figures import counted, walked  # reading them costs something, and nobody else wants them

        return counted() | (walked() if self._config.getoption("cov_source", None) else {})


def _counted(test: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and each time it comes to its end is a case."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> Any:
        given = test(*args, **kwargs)
        tried()
        return given

    return run
