"""What was done is undone, and in the order in which it was done."""

from __future__ import annotations

from attrs import field

from actorflow import ActivityFailed, activity, entity, invariant, update

SAYS = "nothing_is_shipped_unpaid does not hold"
STEPS = ("pay", "ship", "tell")


@activity
async def do(step: str) -> None:
    """Do it."""


@activity
async def undo(step: str) -> None:
    """Take it back."""


async def unwind(done: list[str], steps: list[str]) -> None:
    """Undo these steps, one after the other."""
    for step in steps:
        await undo(step)
        done.remove(step)


@entity
class Planted:
    done: list[str] = field(factory=list[str])

    @update
    async def order(self) -> None:
        self.done = []
        try:
            for step in STEPS:
                await do(step)
                self.done.append(step)
        except ActivityFailed:
            await unwind(self.done, list(self.done))
            raise

    @invariant(always=True)
    def nothing_is_shipped_unpaid(self) -> bool:
        return tuple(self.done) == STEPS[: len(self.done)]


@entity
class Mended:
    done: list[str] = field(factory=list[str])

    @update
    async def order(self) -> None:
        self.done = []
        try:
            for step in STEPS:
                await do(step)
                self.done.append(step)
        except ActivityFailed:
            await unwind(self.done, self.done[::-1])
            raise

    @invariant(always=True)
    def nothing_is_shipped_unpaid(self) -> bool:
        return tuple(self.done) == STEPS[: len(self.done)]
