"""For your tests: one entity, a search for what breaks it, the runtime without waiting, a world of actors.

Every name is loaded when it is first used: pytest loads the plugin in here for every test run there is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actorflow._runtime.views import Entry as Entry
    from actorflow._runtime.views import Parked as Parked
    from actorflow._runtime.views import Sent as Sent
    from actorflow._runtime.views import Waiting as Waiting

    from .checking import check as check
    from .checking import machine as machine
    from .exploring import Explored as Explored
    from .exploring import explore as explore
    from .report import Cause as Cause
    from .report import Finding as Finding
    from .report import Report as Report
    from .scenario import Reply as Reply
    from .scenario import Scenario as Scenario
    from .simulation.callers import Caller as Caller
    from .simulation.faults import Faults as Faults
    from .simulation.outside import Done as Done
    from .simulation.town import Town as Town
    from .verifying import verify as verify
    from .virtual import BlockingVirtualRuntime as BlockingVirtualRuntime
    from .virtual import VirtualRuntime as VirtualRuntime
    from .virtual import virtual_runtime as virtual_runtime
    from .world import World as World
    from .world import WorldFailed as WorldFailed
    from .world import WorldReport as WorldReport

_HOMES = {
    "_runtime.views": ("Entry", "Parked", "Sent", "Waiting"),
    "testing.checking": ("check", "machine"),
    "testing.exploring": ("Explored", "explore"),
    "testing.report": ("Cause", "Finding", "Report"),
    "testing.scenario": ("Reply", "Scenario"),
    "testing.simulation.callers": ("Caller",),
    "testing.simulation.faults": ("Faults",),
    "testing.simulation.outside": ("Done",),
    "testing.simulation.town": ("Town",),
    "testing.verifying": ("verify",),
    "testing.virtual": ("BlockingVirtualRuntime", "VirtualRuntime", "virtual_runtime"),
    "testing.world": ("World", "WorldFailed", "WorldReport"),
}
_HOME = {name: f"actorflow.{home}" for home, names in _HOMES.items() for name in names}
# One list of names is enough, and a test compares it with the imports above.
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]  # noqa: PLE0605 - see above


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'actorflow.testing' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
