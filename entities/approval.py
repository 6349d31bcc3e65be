"""What a request for approval knows: whom it asks, whom it asks next, and when it is too late."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Final, Literal

from attrs import define, field

from actorflow import (
    ActivityFailed,
    CallbackFailed,
    Refused,
    activity,
    callback,
    entity,
    logger,
    main,
    now,
    query,
    race,
    sleep,
    update,
    wait_until,
)

__all__ = [
    "DEADLINE",
    "ESCALATE_AFTER",
    "REMIND_AFTER",
    "Answer",
    "Approval",
    "Decision",
    "ask",
    "remind",
    "tell",
]

REMIND_AFTER: Final = timedelta(days=1)
ESCALATE_AFTER: Final = timedelta(days=3)
DEADLINE: Final = timedelta(days=7)


@define
class Answer:
    """What an approver says."""

    approved: bool
    why: str = ""


@define
class Decision:
    """How a request ended; the result of its life."""

    how: Literal["approved", "declined", "withdrawn", "expired"]
    by: str = ""
    why: str = ""


# Your mail, chat or ticket system goes here.  Whoever has the token can answer, so it goes to the approver
# and nowhere else.  The page on which they answer calls ``runtime.resolve(token, Answer(approved=True))``,
# and whoever learns that they cannot, ``runtime.fail(token, error)``.


@activity
async def ask(approver: str, what: str, token: str) -> None:
    """Ask somebody to decide."""


@activity
async def remind(approver: str, what: str) -> None:
    """Ask again."""


@activity
async def tell(person: str, what: str, decision: Decision) -> None:
    """Say how it was decided."""


@entity
class Approval:
    """One request: begun with ``runtime.start(Approval(...), key)``, it ends with a ``Decision``."""

    what: str
    requester: str
    first: str
    second: str
    """Who is asked when the first does not answer, or cannot."""
    asked: list[str] = field(factory=list[str])
    decision: Decision | None = None

    @main
    async def course(self) -> Decision:
        """Ask, remind, ask the second, give up; whoever answers first decides."""
        begun = now()
        promises: dict[str, Awaitable[Answer]] = {}
        if await self._ask(self.first, promises, until=begun + DEADLINE):
            await self._wait(promises, until=begun + REMIND_AFTER)
            if self.decision is None and promises:
                await self._notify(remind(self.first, self.what))
                await self._wait(promises, until=begun + ESCALATE_AFTER)
        if self.decision is None and now() < begun + DEADLINE:  # the process may have been away for long
            await self._ask(self.second, promises, until=begun + DEADLINE)
            await self._wait(promises, until=begun + DEADLINE)
        if self.decision is None:
            self.decision = Decision("expired", why="nobody has decided")
        for person in (self.requester, *self.asked):
            await self._notify(tell(person, self.what, self.decision))
        return self.decision

    @update
    def withdraw(self, why: str) -> None:
        """The requester does not want it any more."""
        if self.decision is not None:
            raise Refused(f"it is {self.decision.how} already")
        self.decision = Decision("withdrawn", self.requester, why)

    @query
    def approvers(self) -> list[str]:
        """Who has been asked so far."""
        return self.asked

    @query
    def outcome(self) -> Decision | None:
        return self.decision

    async def _ask(self, approver: str, promises: dict[str, Awaitable[Answer]], *, until: datetime) -> bool:
        """Ask somebody; says whether that went well."""
        promise = callback(Answer, timeout=until - now())
        self.asked.append(approver)
        # Listened to in any case: a letter of which nobody knows whether it was sent may have arrived.
        promises[approver] = promise
        return await self._notify(ask(approver, self.what, promise.token))

    async def _wait(self, promises: dict[str, Awaitable[Answer]], *, until: datetime) -> None:
        """Wait for a decision, until it is time for something else, or nobody is left who could decide."""
        while self.decision is None and promises and now() < until:
            names = list(promises)
            won = await race(
                *[self._hear(name, promises[name]) for name in names],
                wait_until(lambda: self.decision is not None),
                sleep(until - now()),
            )
            if won.index < len(names):
                del promises[names[won.index]]  # who has spoken, or cannot

    async def _hear(self, approver: str, promise: Awaitable[Answer]) -> None:
        """Hear one approver out; one who cannot answer decides nothing."""
        try:
            answer = await promise
        except (CallbackFailed, TimeoutError) as failed:
            logger.warning("%s does not decide: %s", approver, failed)
            return
        if self.decision is None:  # or it was withdrawn in the same moment
            self.decision = Decision("approved" if answer.approved else "declined", approver, answer.why)

    async def _notify(self, message: Awaitable[None]) -> bool:
        """Send a message; one that cannot be sent decides nothing either."""
        try:
            await message
        except ActivityFailed as failed:
            logger.warning("%s", failed)
            return False
        return True
