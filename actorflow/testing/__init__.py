"""For your tests: drive one entity without a runtime, a disk or a clock."""

from __future__ import annotations

from .scenario import Reply as Reply
from .scenario import Scenario as Scenario
from .views import Entry as Entry
from .views import Parked as Parked
from .views import Sent as Sent
from .views import Waiting as Waiting

__all__ = ["Entry", "Parked", "Reply", "Scenario", "Sent", "Waiting"]
