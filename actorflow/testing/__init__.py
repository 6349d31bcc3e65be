"""For your tests: drive one entity without a runtime, a disk or a clock; try new code on a whole journal."""

from __future__ import annotations

from actorflow._runtime.views import Entry as Entry
from actorflow._runtime.views import Parked as Parked
from actorflow._runtime.views import Sent as Sent
from actorflow._runtime.views import Waiting as Waiting

from .report import Cause as Cause
from .report import Finding as Finding
from .report import Report as Report
from .scenario import Reply as Reply
from .scenario import Scenario as Scenario
from .verifying import verify as verify

__all__ = [
    "Cause",
    "Entry",
    "Finding",
    "Parked",
    "Reply",
    "Report",
    "Scenario",
    "Sent",
    "Waiting",
    "verify",
]
