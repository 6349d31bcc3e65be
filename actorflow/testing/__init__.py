"""For your tests: drive one entity without a runtime, a disk or a clock."""

from __future__ import annotations

from actorflow._runtime.views import Entry as Entry
from actorflow._runtime.views import Parked as Parked
from actorflow._runtime.views import Sent as Sent
from actorflow._runtime.views import Waiting as Waiting

from .scenario import Reply as Reply
from .scenario import Scenario as Scenario

__all__ = ["Entry", "Parked", "Reply", "Scenario", "Sent", "Waiting"]
