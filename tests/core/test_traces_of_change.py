"""Traces 4 and 13 of ``docs/explanation/traces.md``: mended bugs and changed code under what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, field

from actorflow import Divergence, activity, entity, patched, query, signal, timer, upcast, update
from actorflow.testing import Scenario
from tests.core.proof import prove


@activity
async def weigh(sku: str) -> int:
    """Ask a scale."""
    return len(sku)


@activity
async def label(sku: str) -> str:
    """Ask a printer."""
    return sku


# ---- 4: a parked signal --------------------------------------------------------------------------------


def _parcel(*, mended: bool) -> Any:
    if mended:

        @entity
        class Parcel:  # pyright: ignore[reportRedeclaration]  # before and after
            skus: list[str] = field(factory=list)

            @signal
            def put(self, sku: str) -> None:
                self.skus.append(sku.strip())

    else:

        @entity
        class Parcel:  # type: ignore[no-redef]  # the same entity, before it was mended
            skus: list[str] = field(factory=list)

            @signal
            def put(self, sku: str) -> None:
                if sku != sku.strip():
                    raise ValueError("a space")
                self.skus.append(sku)

    return Parcel


def test_trace_4_a_mended_bug_does_not_run_a_parked_signal() -> None:
    """Replay leaves a parked signal parked; a retry is a new message that names it, its id stays behind."""
    before, after = _parcel(mended=False), _parcel(mended=True)
    parcel = Scenario(before)
    parcel.signal(before.put, "a")
    parcel.once("id-1").signal(before.put, " b")
    parcel.signal(before.put, "c")

    parcel.restart(after)
    assert parcel.state.skus == ["a", "c"]
    assert [(one.seq, one.first) for one in parcel.parked] == [(2, 2)]

    parcel.retry(2)
    assert parcel.state.skus == ["a", "c", "b"]
    assert parcel.parked == []
    assert (parcel.history[-1].seq, parcel.history[-1].what) == (4, "retry")
    records = len(parcel.records)
    parcel.once("id-1").signal(after.put, " b")
    assert len(parcel.records) == records, "the id belongs to the first message"
    prove(parcel)


def test_trace_4_a_retry_that_fails_is_parked_under_its_own_number() -> None:
    """The new message names the first one, so that an operator sees how often it was tried."""
    before = _parcel(mended=False)
    parcel = Scenario(before)
    parcel.signal(before.put, " b")
    parcel.retry(1)
    parcel.retry(2)
    assert [(one.seq, one.first) for one in parcel.parked] == [(3, 1)]
    parcel.drop(3)
    assert parcel.parked == []
    prove(parcel)


# ---- 13: code changes under a tail ---------------------------------------------------------------------


@define
class Box:
    sku: str


@entity
class Depot:
    """The code that wrote the journal."""

    boxes: list[Box] = field(factory=list)
    weight: int = 0

    @signal
    def put(self, sku: str) -> None:
        self.boxes.append(Box(sku))

    @signal
    def old_name(self, sku: str) -> None:
        self.boxes.append(Box(sku.upper()))

    @update
    async def ship(self) -> int:
        for box in self.boxes:
            self.weight += await weigh(box.sku)
        return self.weight


def _written() -> Scenario[Any]:
    depot: Scenario[Any] = Scenario(Depot)
    depot.signal(Depot.put, "a")
    depot.signal(Depot.old_name, "b")
    depot.update(Depot.ship)
    depot.answer(weigh, 3)
    depot.signal(Depot.old_name, "waits")
    return depot


def _depot_with_a_field() -> Any:
    @define
    class Box:
        sku: str
        fragile: bool = False

    @entity
    class Depot:
        boxes: list[Box] = field(factory=list)
        weight: int = 0
        city: str = "Bremen"

        @signal
        def put(self, sku: str) -> None:
            self.boxes.append(Box(sku))  # pyright: ignore[reportArgumentType]  # the later Box

        @signal
        def old_name(self, sku: str) -> None:
            self.boxes.append(Box(sku.upper()))  # pyright: ignore[reportArgumentType]  # the later Box

        @update
        async def ship(self) -> int:
            for box in self.boxes:
                self.weight += await weigh(box.sku)
            return self.weight

    return Depot


def test_trace_13_a_field_with_a_default_is_no_divergence() -> None:
    """The tail replays on code that has a field more, in the state and in a class of the state."""
    depot = _written()
    depot.restart(_depot_with_a_field())
    depot.answer(weigh, 4)
    assert depot.state.weight == 7
    assert depot.state.city == "Bremen"
    assert [box.fragile for box in depot.state.boxes] == [False, False, False]


def _depot_renamed(*, alias: bool) -> Any:
    @entity
    class Depot:
        boxes: list[Box] = field(factory=list)
        weight: int = 0

        @signal
        def put(self, sku: str) -> None:
            self.boxes.append(Box(sku))

        @signal(aliases=["old_name"] if alias else [])
        def shout(self, sku: str) -> None:
            self.boxes.append(Box(sku.upper()))

        @update
        async def ship(self) -> int:
            for box in self.boxes:
                self.weight += await weigh(box.sku)
            return self.weight

    return Depot


def test_trace_13_a_renamed_handler_with_an_alias_goes_on() -> None:
    """Messages recorded under the old name, in the tail and waiting, reach the handler under its new one."""
    depot = _written()
    depot.restart(_depot_renamed(alias=True))
    depot.answer(weigh, 4)
    assert [box.sku for box in depot.state.boxes] == ["a", "B", "WAITS"]


def test_trace_13_a_handler_that_is_gone_diverges_in_the_tail() -> None:
    """A turn that was run cannot be run again without its handler: named, with what to do."""
    depot = _written()
    with pytest.raises(Divergence, match=r"message 2, handler old_name: the handler differs"):
        depot.restart(_depot_renamed(alias=False))


def test_trace_13_a_handler_that_is_gone_parks_what_waits() -> None:
    """Behind a snapshot only waiting messages miss their handler: parked, and retried when it is back."""
    depot: Scenario[Any] = Scenario(Depot)
    depot.signal(Depot.put, "a")
    depot.snapshot()
    depot.update(Depot.ship)
    depot.signal(Depot.old_name, "waits")
    depot.restart(_depot_renamed(alias=False))
    depot.answer(weigh, 4)
    assert [(one.handler, one.error.split(":")[0]) for one in depot.parked] == [
        ("old_name", "actorflow.UnknownHandler")
    ]
    depot.restart(Depot)
    depot.retry(depot.parked[0].seq)
    assert [box.sku for box in depot.state.boxes] == ["a", "WAITS"]


def _scale(version: str) -> Any:
    """An invocation that is open while its code changes."""
    if version == "old":

        @entity
        class Scale:  # pyright: ignore[reportRedeclaration]  # before and after
            log: list[str] = field(factory=list)

            @update
            async def run(self) -> str:
                first = await weigh("first")
                self.log.append(f"weighed {first}")
                second = await weigh("second")
                return f"{first} and {second}"

    elif version == "mended":

        @entity
        class Scale:  # type: ignore[no-redef]  # a bug mended: what is asked for is the same
            log: list[str] = field(factory=list)

            @update
            async def run(self) -> str:
                first = await weigh("first")
                self.log.append(f"weighed {first} kg")
                second = await weigh("second")
                return f"{first} kg and {second} kg"

    elif version == "changed":

        @entity
        class Scale:  # type: ignore[no-redef]  # something else is asked for
            log: list[str] = field(factory=list)

            @update
            async def run(self) -> str:
                name = await label("first")
                second = await weigh("second")
                return f"{name} and {second}"

    else:

        @entity
        class Scale:  # type: ignore[no-redef]  # something else is asked for, behind a patch
            log: list[str] = field(factory=list)

            @update
            async def run(self) -> str:
                if patched("labels"):
                    first = await label("first")
                else:
                    first = str(await weigh("first"))
                second = await weigh("second")
                again = "new" if patched("labels") else "old"
                return f"{first} and {second}, {again}"

    return Scale


def test_trace_13_a_mended_bug_is_no_divergence() -> None:
    """Another state and another answer under changed code are what mending is for."""
    scale: Scenario[Any] = Scenario(_scale("old"))
    reply = scale.update(scale.entity.run)
    scale.answer(weigh, 1)
    mended = _scale("mended")
    scale.restart(mended)
    assert scale.state.log == ["weighed 1 kg"]
    scale.answer(weigh, 2)
    assert reply.value == "1 kg and 2 kg"


def test_trace_13_a_changed_effect_diverges_and_says_where() -> None:
    """Code that asks for something else than is recorded is stopped at the first difference."""
    scale: Scenario[Any] = Scenario(_scale("old"))
    scale.update(scale.entity.run)
    with pytest.raises(Divergence) as divergence:
        scale.restart(_scale("changed"))
    assert str(divergence.value) == (
        "Scale 'scenario', message 1, handler run: effect 0 differs from the record\n"
        "  recorded: Schedule(name='weigh', body=('first',), options=None)\n"
        "  produced: Schedule(name='label', body=('first',), options=None)\n"
        "  hint: if it was renamed, declare it with aliases=['weigh']; "
        "code that changes what a handler asks for goes behind patched('id'); "
        "code that reads a clock, "
        "chance or the outside belongs in an activity"
    )


def test_trace_13_a_changed_effect_behind_patched_goes_on() -> None:
    """An invocation that began with the old code keeps to it to its end; the next takes the new branch."""
    scale: Scenario[Any] = Scenario(_scale("old"))
    first = scale.update(scale.entity.run)
    new = _scale("patched")
    scale.restart(new)
    scale.answer(weigh, 1)
    scale.answer(weigh, 2)
    assert first.value == "1 and 2, old"
    second = scale.update(new.run)
    scale.answer(label, "one")
    scale.restart(new)
    scale.answer(weigh, 2)
    assert second.value == "one and 2, new"


def test_trace_13_versions_are_lifted() -> None:
    """A state stored by an earlier version comes through the upcasts of those between."""

    @entity
    class Purse:
        coins: int = 0

        @signal
        def put(self, coins: int) -> None:
            self.coins += coins

    purse: Scenario[Any] = Scenario(Purse)
    purse.signal(Purse.put, 3)
    purse.snapshot()

    def newer() -> Any:
        @entity(version=3)
        class Purse:
            cents: int
            owner: str

            @upcast(1)
            @staticmethod
            def in_cents(stored: dict[str, Any]) -> dict[str, Any]:
                return {"cents": stored["coins"] * 100}

            @upcast(2)
            @staticmethod
            def owned(stored: dict[str, Any]) -> dict[str, Any]:
                return {**stored, "owner": "nobody"}

            @signal
            def put(self, coins: int) -> None:
                self.cents += coins * 100

            @query
            def total(self) -> int:
                return self.cents

            @timer
            def never(self) -> None: ...

        return Purse

    later = newer()
    purse.restart(later)
    purse.signal(later.put, 1)
    assert (purse.state.cents, purse.state.owner) == (400, "nobody")
