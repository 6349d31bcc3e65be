"""What an author may declare to be always true, when it is asked, and that production does not notice."""

from __future__ import annotations

from typing import Any

import pytest

from actorflow import DefinitionError, InvariantBroken, WriteInReading, entity, invariant, signal
from actorflow._authoring.entity import spec_of
from actorflow.testing import Scenario


def test_a_scenario_asks() -> None:
    """A turn after which an invariant does not hold raises, with the reason and the state."""

    @entity
    class Till:
        cents: int = 0

        @signal
        def take(self, cents: int) -> None:
            self.cents -= cents

        @invariant
        def never_negative(self) -> None:
            assert self.cents >= 0, "there is less than nothing"

    till = Scenario(Till)
    till.signal(Till.take, 0)
    with pytest.raises(InvariantBroken, match=r"never_negative does not hold.*less than nothing"):
        till.signal(Till.take, 1)


def test_an_invariant_only_reads() -> None:
    """One that changes the state is told so."""

    @entity
    class Till:
        cents: int = 0

        @signal
        def take(self) -> None: ...

        @invariant
        def counts(self) -> bool:
            self.cents += 1
            return True

    with pytest.raises(WriteInReading, match=r"an invariant only reads"):
        Scenario(Till).signal(Till.take)


def test_an_invariant_is_no_part_of_the_code_that_computes() -> None:
    """With and without it the fingerprint is the same: whoever adds one has changed no handler."""

    def made(*, asks: bool) -> Any:
        @entity(name="Till")
        class Till:
            cents: int = 0

            @signal
            def take(self, cents: int) -> None:
                self.cents -= cents

            if asks:

                @invariant
                def never_negative(self) -> bool:
                    return self.cents >= 0

        return Till

    assert spec_of(made(asks=True)).fingerprint == spec_of(made(asks=False)).fingerprint


def test_an_invariant_that_cannot_be_asked_is_refused() -> None:
    """It takes nothing, waits for nothing, and gives nothing or whether it holds: seen at definition."""
    with pytest.raises(DefinitionError, match="takes nothing but self"):

        @entity
        class Takes:
            @signal
            def go(self) -> None: ...

            @invariant  # type: ignore[arg-type]
            def holds(self, more: int) -> bool:  # pyright: ignore[reportArgumentType]
                return more > 0

    with pytest.raises(DefinitionError, match="gives nothing, or whether it holds"):

        @entity
        class Gives:
            @signal
            def go(self) -> None: ...

            @invariant  # type: ignore[type-var]
            def holds(self) -> int:  # pyright: ignore[reportArgumentType]
                return 1

    with pytest.raises(DefinitionError, match="cannot wait"):

        @entity
        class Waits:
            @signal
            def go(self) -> None: ...

            @invariant  # type: ignore[type-var]
            async def holds(self) -> bool:  # pyright: ignore[reportArgumentType]
                return True
