"""A main that is started again by a continuation, and does its first step once more."""

from __future__ import annotations

from attrs import field

from actorflow import entity, invariant, main, signal, wait_until

SAYS = "members_are_told_apart does not hold"


@entity
class Planted:
    members: list[str] = field(factory=list[str])
    closed: bool = False

    @main(restartable=True)
    async def course(self) -> int:
        self.members.append("owner")
        await wait_until(lambda: self.closed)
        return len(self.members)

    @signal
    def poke(self) -> None:
        """Say nothing."""

    @invariant
    def members_are_told_apart(self) -> bool:
        return len(set(self.members)) == len(self.members)


@entity
class Mended:
    members: list[str] = field(factory=list[str])
    closed: bool = False

    @main(restartable=True)
    async def course(self) -> int:
        if "owner" not in self.members:
            self.members.append("owner")
        await wait_until(lambda: self.closed)
        return len(self.members)

    @signal
    def poke(self) -> None:
        """Say nothing."""

    @invariant
    def members_are_told_apart(self) -> bool:
        return len(set(self.members)) == len(self.members)
