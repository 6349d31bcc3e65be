"""Fixtures for pytest: a virtual runtime for the entities that a test names, open while it runs.

pytest loads this in every run of whoever has actorflow installed, so it loads nothing else until it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from actorflow.testing import BlockingVirtualRuntime, VirtualRuntime

__all__ = ["actorflow_runtime", "pytest_configure"]

MARKER = "actorflow"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(entities=[...], activities={{...}}, ...): "
        "what the fixture actorflow_runtime is opened with; all that actorflow.testing.virtual_runtime takes",
    )


@pytest.fixture
def actorflow_runtime(request: pytest.FixtureRequest) -> Iterator[VirtualRuntime | BlockingVirtualRuntime]:
    """A runtime on a virtual clock, for the entities of ``@pytest.mark.actorflow(entities=[...])``.

    An ``async def`` test, under whichever plugin, gets a ``VirtualRuntime``; a plain one gets a
    ``BlockingVirtualRuntime``.  Nearer marks override what farther ones say.
    """
    from actorflow.errors import UsageError  # noqa: PLC0415 - see above
    from actorflow.testing import virtual_runtime  # noqa: PLC0415 - see above

    options = _options(request.node)
    if "entities" not in options:
        raise UsageError(
            f"{request.node.name} asks for actorflow_runtime, and nobody says for which entities\n"
            "  hint: @pytest.mark.actorflow(entities=[Cart]), on the test, its class or its module"
        )
    opening = virtual_runtime(**options)
    with opening.opened(awaited=inspect.iscoroutinefunction(request.function)) as runtime:
        yield runtime


def _options(node: Any) -> dict[str, Any]:
    """What all marks of a test say together."""
    found: dict[str, Any] = {}
    for mark in node.iter_markers(MARKER):
        if mark.args:
            from actorflow.errors import UsageError  # noqa: PLC0415 - see above

            raise UsageError(
                f"@pytest.mark.{MARKER}{mark.args!r}: it takes no arguments by position\n"
                f"  hint: @pytest.mark.{MARKER}(entities=[Cart])"
            )
        for name, value in mark.kwargs.items():
            found.setdefault(name, value)
    return found
