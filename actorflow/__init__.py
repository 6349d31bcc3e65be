"""An actor runtime for entity workflows: carts, accounts and orders that live for years in one process.

The names for authors need neither trio nor LMDB.  Every name is loaded when it is first used, so an entity
module can be imported inside another host for the price of what it uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actorflow._authoring.activities import Activity as Activity
    from actorflow._authoring.activities import activity as activity
    from actorflow._authoring.actors import actor as actor
    from actorflow._authoring.attempt import Attempt as Attempt
    from actorflow._authoring.callbacks import callback as callback
    from actorflow._authoring.children import fan_out as fan_out
    from actorflow._authoring.children import start_child as start_child
    from actorflow._authoring.ending import complete as complete
    from actorflow._authoring.ending import continue_as_new as continue_as_new
    from actorflow._authoring.entity import entity as entity
    from actorflow._authoring.handlers import main as main
    from actorflow._authoring.handlers import query as query
    from actorflow._authoring.handlers import signal as signal
    from actorflow._authoring.handlers import timer as timer
    from actorflow._authoring.handlers import update as update
    from actorflow._authoring.identity import Info as Info
    from actorflow._authoring.identity import info as info
    from actorflow._authoring.identity import logger as logger
    from actorflow._authoring.identity import now as now
    from actorflow._authoring.identity import patched as patched
    from actorflow._authoring.identity import random as random
    from actorflow._authoring.identity import uuid4 as uuid4
    from actorflow._authoring.invariants import invariant as invariant
    from actorflow._authoring.options import Breaker as Breaker
    from actorflow._authoring.options import RetryPolicy as RetryPolicy
    from actorflow._authoring.saga import saga as saga
    from actorflow._authoring.upcasts import upcast as upcast
    from actorflow._authoring.waiting import gather as gather
    from actorflow._authoring.waiting import race as race
    from actorflow._authoring.waiting import shielded as shielded
    from actorflow._authoring.waiting import sleep as sleep
    from actorflow._authoring.waiting import wait_until as wait_until
    from actorflow._runtime.handle import ActorHandle as ActorHandle
    from actorflow._runtime.handle import Batch as Batch
    from actorflow._runtime.in_asyncio import AsyncioRuntime as AsyncioRuntime
    from actorflow._runtime.in_threads import BlockingBatch as BlockingBatch
    from actorflow._runtime.in_threads import BlockingHandle as BlockingHandle
    from actorflow._runtime.in_threads import BlockingRuntime as BlockingRuntime
    from actorflow._runtime.past import Past as Past
    from actorflow._runtime.runtime import Runtime as Runtime
    from actorflow._runtime.runtime import Statistics as Statistics
    from actorflow._runtime.views import Debt as Debt
    from actorflow._runtime.views import Description as Description
    from actorflow._runtime.views import Entry as Entry
    from actorflow._runtime.views import Parked as Parked
    from actorflow._runtime.views import Summary as Summary
    from actorflow._runtime.views import Waiting as Waiting
    from actorflow.errors import ActivityFailed as ActivityFailed
    from actorflow.errors import ActorCompleted as ActorCompleted
    from actorflow.errors import ActorflowError as ActorflowError
    from actorflow.errors import AlreadyStarted as AlreadyStarted
    from actorflow.errors import BadKey as BadKey
    from actorflow.errors import BadToken as BadToken
    from actorflow.errors import CallbackFailed as CallbackFailed
    from actorflow.errors import Cancelled as Cancelled
    from actorflow.errors import CheckFailed as CheckFailed
    from actorflow.errors import ChildFailed as ChildFailed
    from actorflow.errors import CompensationFailed as CompensationFailed
    from actorflow.errors import Deadlock as Deadlock
    from actorflow.errors import DecodeError as DecodeError
    from actorflow.errors import DefinitionError as DefinitionError
    from actorflow.errors import Divergence as Divergence
    from actorflow.errors import FaultError as FaultError
    from actorflow.errors import ForeignAwait as ForeignAwait
    from actorflow.errors import HandlerFailed as HandlerFailed
    from actorflow.errors import HistoryFull as HistoryFull
    from actorflow.errors import IdReused as IdReused
    from actorflow.errors import Interrupted as Interrupted
    from actorflow.errors import InvariantBroken as InvariantBroken
    from actorflow.errors import JournalFull as JournalFull
    from actorflow.errors import LimitExceeded as LimitExceeded
    from actorflow.errors import NondeterminismError as NondeterminismError
    from actorflow.errors import NondeterminismWarning as NondeterminismWarning
    from actorflow.errors import NotAccepted as NotAccepted
    from actorflow.errors import NotAwaited as NotAwaited
    from actorflow.errors import NotInHandler as NotInHandler
    from actorflow.errors import NotStarted as NotStarted
    from actorflow.errors import OutcomeError as OutcomeError
    from actorflow.errors import Refused as Refused
    from actorflow.errors import Runaway as Runaway
    from actorflow.errors import Standstill as Standstill
    from actorflow.errors import Stuck as Stuck
    from actorflow.errors import Suspect as Suspect
    from actorflow.errors import TokenSpent as TokenSpent
    from actorflow.errors import TryLater as TryLater
    from actorflow.errors import TwinDiffers as TwinDiffers
    from actorflow.errors import Unavailable as Unavailable
    from actorflow.errors import Unknown as Unknown
    from actorflow.errors import UnknownEntity as UnknownEntity
    from actorflow.errors import UnknownHandler as UnknownHandler
    from actorflow.errors import Unstorable as Unstorable
    from actorflow.errors import UsageError as UsageError
    from actorflow.errors import WriteInReading as WriteInReading
    from actorflow.errors import WrongAnswer as WrongAnswer
    from actorflow.errors import WrongArgument as WrongArgument
    from actorflow.limits import Limits as Limits

_HOMES = {
    "_authoring.activities": ("Activity", "activity"),
    "_authoring.actors": ("actor",),
    "_authoring.attempt": ("Attempt",),
    "_authoring.options": ("Breaker", "RetryPolicy"),
    "_authoring.callbacks": ("callback",),
    "_authoring.children": ("fan_out", "start_child"),
    "_authoring.ending": ("complete", "continue_as_new"),
    "_authoring.entity": ("entity",),
    "_authoring.handlers": ("main", "query", "signal", "timer", "update"),
    "_authoring.identity": ("Info", "info", "logger", "now", "patched", "random", "uuid4"),
    "_authoring.invariants": ("invariant",),
    "_authoring.saga": ("saga",),
    "_authoring.upcasts": ("upcast",),
    "_authoring.waiting": ("gather", "race", "shielded", "sleep", "wait_until"),
    "_runtime.handle": ("ActorHandle", "Batch"),
    "_runtime.in_asyncio": ("AsyncioRuntime",),
    "_runtime.in_threads": ("BlockingBatch", "BlockingHandle", "BlockingRuntime"),
    "_runtime.past": ("Past",),
    "_runtime.runtime": ("Runtime", "Statistics"),
    "_runtime.views": ("Debt", "Description", "Entry", "Parked", "Summary", "Waiting"),
    "errors": (
        "ActivityFailed",
        "ActorCompleted",
        "ActorflowError",
        "AlreadyStarted",
        "BadKey",
        "BadToken",
        "CallbackFailed",
        "Cancelled",
        "CheckFailed",
        "ChildFailed",
        "CompensationFailed",
        "Deadlock",
        "DecodeError",
        "DefinitionError",
        "Divergence",
        "FaultError",
        "ForeignAwait",
        "HandlerFailed",
        "HistoryFull",
        "IdReused",
        "LimitExceeded",
        "NondeterminismError",
        "NondeterminismWarning",
        "NotAwaited",
        "NotInHandler",
        "NotStarted",
        "OutcomeError",
        "Refused",
        "Runaway",
        "WrongAnswer",
        "WriteInReading",
        "Standstill",
        "Stuck",
        "UnknownHandler",
        "Unstorable",
        "UnknownEntity",
        "InvariantBroken",
        "JournalFull",
        "NotAccepted",
        "Unknown",
        "Suspect",
        "UsageError",
        "WrongArgument",
        "Interrupted",
        "TokenSpent",
        "TryLater",
        "TwinDiffers",
        "Unavailable",
    ),
    "limits": ("Limits",),
}
_HOME = {name: f"actorflow.{home}" for home, names in _HOMES.items() for name in names}
# One list of names is enough, and a test compares it with the imports above.
__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]  # noqa: PLE0605 - see above


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'actorflow' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
