"""One run of a world: what happens step by step, what goes wrong, and what is seen to hold meanwhile."""

# Long because the process, its faults, its callers and what is checked meet here, a few lines each.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import define, frozen

from actorflow._authoring.entity import spec_of
from actorflow._core.actor import Actor
from actorflow._core.facts import ASK, Address
from actorflow._core.phases import CLOSING
from actorflow._core.spec import Spec
from actorflow._runtime.errand import OUTSIDE
from actorflow._runtime.residency import SUSPECT_TIMES
from actorflow._runtime.tables import ERRANDS, NUMBER_BYTES, address_of, path_of
from actorflow._runtime.writer import write
from actorflow.errors import Suspect, UnknownEntity
from actorflow.limits import Limits
from persistence.faulty_journal import Crashed, FaultyJournal

from .agenda import DAY_US, HOUR_US, MILLISECOND_US, SECOND_US, Agenda
from .callers import Caller, Visit
from .faults import Dice, Faults
from .host import SimulatedHost, until
from .oracle import Wrong, see
from .outside import Outside
from .town import Town
from .trace import Trace
from .truth import Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actorflow._authoring.activities import Activity

__all__ = ["Plan", "Play", "Simulation"]

SKEW_MAX_US: Final = 12 * HOUR_US
IDLE_MAX: Final = 50_000
"""So often the clock is looked at in vain before a world is taken to be at its end."""
QUIET_MAX_US: Final = 90 * DAY_US
"""And for so long."""
SETTLE_STEPS: Final = 20_000
SETTLE_US: Final = 120 * DAY_US
"""So long everything may take to come to rest, once nothing goes wrong any more."""
COMPARED: Final = 0.15
"""How often the actors in memory are compared with what their records say, at each commit."""

Function = Callable[[Caller], Awaitable[None]]


@frozen
class Play:
    """A function that is called again and again, by so many at a time."""

    function: Function
    count: int
    patient: bool = True
    """Whether they want to be answered in the end, come what may."""

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", "caller")


@define
class Plan:
    """All that a world is made of."""

    seed: int
    entities: Sequence[type[Any]]
    fakes: Mapping[Activity[..., Any], Callable[..., Any]]
    faults: Faults
    limits: Limits | None
    strict: bool
    plays: list[Play]
    always: list[Callable[[Town], object]]
    at_last: list[Callable[[Town], object]]


class Simulation:
    """A world that runs."""

    def __init__(self, plan: Plan, without: Iterable[str]) -> None:
        self._plan = plan
        dice = Dice(plan.seed, "world")
        self._dice = dice
        self.disk_dice = dice.of("disk")
        self.activity_dice = dice.of("activities")
        self._house = {kind: dice.of(kind) for kind in HOUSE}
        self._entropy = dice.of("entropy")
        self.faults = plan.faults.mixed(dice.of("mix")).without(without)
        self._limits = _drawn_limits(dice.of("limits")) if plan.limits is None else plan.limits
        self.agenda = Agenda()
        self.trace = Trace(self.agenda)
        self.outside = Outside(plan.fakes, dice.of("answers"), self.agenda, self.trace)
        self.journal: Any = FaultyJournal(dice.of("journal").randrange(1 << 30))
        self.host: SimulatedHost | None = None
        """The process, while there is one."""
        self._last_host = self._made()
        self.truth = Truth(self._last_host.specs, self.agenda)
        self.town = Town(self.truth, self.outside, self.agenda)
        self.visits: list[Visit] = []
        self._numbers: dict[str, int] = {}
        self._lull_until = 0
        self._broken: Wrong | None = None
        self.settling = False
        self._idle = 0
        """How many steps in a row did nothing worth counting."""
        self._quiet_us = 0
        """How long they took."""
        self._readmitted: set[Address] = set()
        """Who is being readmitted."""

    def _made(self) -> SimulatedHost:
        return SimulatedHost(self, self.journal, self._plan.entities, self._limits, strict=self._plan.strict)

    # -- what its parts ask of it --------------------------------------------------------------------------

    def entropy(self, count: int) -> bytes:
        """Random bytes, as the system would give them."""
        return self._entropy.randbytes(count)

    def spec(self, name: str) -> Spec:
        """The entity of this name."""
        spec = self._last_host.specs.get(name)
        if spec is None:
            raise UnknownEntity(name, "", tuple(self._last_host.specs))
        return spec

    async def pause(self, delay_us: int, what: str) -> None:
        """Let time pass for a caller."""
        at = self.agenda.now + delay_us
        self.agenda.after(delay_us, _nothing)
        await until(lambda: self.agenda.now >= at, what)

    def broke(self, what: str, cause: BaseException | None = None) -> None:
        """Something was found to be wrong, at a place where it cannot be raised."""
        if self._broken is None:
            self._broken = Wrong(what)
            self._broken.__cause__ = cause

    def idled(self) -> None:
        """The step under way did nothing worth counting."""
        self.trace.step -= 1
        self._idle += 1

    def read_sent(
        self, entity: str, key: str, kind: int, name: str, body: bytes, id_: str | None, seq: int, fate: str
    ) -> str:
        """A message that was sent, as a line."""
        spec = self._last_host.specs[entity]
        handler = spec.handlers.get(name)
        given = "" if handler is None else ", ".join(map(repr, handler.decode(body)))
        once = "" if id_ is None else f" once({id_!r})"
        return f"{entity} {key!r}{once}: {name or f'input {kind}'}({given}), {fate} as {seq}"

    # -- the process ---------------------------------------------------------------------------------------

    def _open(self) -> None:
        self.journal.full = False
        self._last_host = host = self._made()
        self.trace.note("opens")
        host.begin()
        self.host = host

    def _open_later(self) -> None:
        down = self._dice.between(10 * MILLISECOND_US, 20 * SECOND_US)
        self.agenda.after(down, self._open)

    def durable(self, host: SimulatedHost) -> None:
        """A commit has been carried out, and nobody was told yet."""
        (batch,) = self.journal.history[self.truth.commits :]
        changed = self.truth.take(batch)
        self.trace.note("commits", self.truth.commits, _bytes_of(batch), read=_read_commit)
        for check in self._plan.always:
            check(self.town)
        if self._dice.hits(COMPARED):
            self._compare(host, changed)

    def _compare(self, host: SimulatedHost, addresses: Iterable[Address]) -> None:
        """See that who is in memory, and whose records are all durable, is what they say."""
        now = self.agenda.wall()
        for address in addresses:
            resident = host.population.residents.get(address)
            records = host.watched.records(address)
            if resident is not None and records == len(self.truth.records.get(address, ())):
                self.truth.compare(resident.actor, now)

    def _gone(self, host: SimulatedHost) -> None:
        """The process is no more; who waited for it is told."""
        host.die()
        self.host = None
        for visit in list(self.visits):
            visit.process_died(host)

    def fell(self, host: SimulatedHost) -> None:
        """It has stopped of itself, for a commit failed."""
        self.trace.note("fell")
        self._resume()  # with what it says of each message
        self._gone(host)
        self.journal.close()
        self._open_later()

    def left(self, host: SimulatedHost) -> None:
        """It has closed in order."""
        self.trace.note("left")
        self._resume()
        self._gone(host)
        self.journal.close()
        self._open_later()

    # -- what goes wrong with it ---------------------------------------------------------------------------

    def _draw_faults(self) -> None:
        hit = {kind: dice.hits(getattr(self.faults, kind)) for kind, dice in self._house.items()}
        if self.settling or not any(hit.values()):
            return
        host = self.host
        if hit["clock"]:
            self._jump(self._house["clock"])
        if hit["lull"]:
            long = self._house["lull"].between(SECOND_US, 40 * DAY_US)
            self._lull_until = self.agenda.now + long
            self.trace.note("lull", long)
        if hit["room"] and host is not None:
            self.journal.full = True
            self.trace.note("room")
            self.agenda.after(self._house["room"].between(MILLISECOND_US, 60 * SECOND_US), self._room)
        if host is None or host.shut:
            return
        if hit["restart"]:
            self.trace.note("restart")
            host.leave(self._house["restart"].between(1, 2 * SECOND_US))
        elif hit["power"] or hit["crash"]:
            self._crash(host, power=hit["power"])

    def _jump(self, dice: Dice) -> None:
        skew = dice.between(MILLISECOND_US, SKEW_MAX_US) * dice.choice((1, -1))
        self.agenda.jump(skew)
        self.trace.note("clock", skew)
        if self.host is not None:
            self.host.minds(dice.between(1, 5 * SECOND_US))  # it looks every five seconds, and not before

    def _room(self) -> None:
        self.journal.full = False

    def _crash(self, host: SimulatedHost, *, power: bool) -> None:
        kept = False
        unwritten = host.writer.unwritten
        if unwritten is not None and self._dice.hits(0.5):
            write(self.journal, unwritten)
            kept = True
        self.trace.note("power" if power else "crash", kept)
        with suppress(Crashed):
            self.journal.crash(power=power)
        self.journal = self.journal.reopened()
        self._gone(host)
        self._open_later()

    # -- callers -------------------------------------------------------------------------------------------

    def _invite(self, play: Play, place: int) -> None:
        """Have somebody come, after a while; and again when he has gone."""
        if self.settling:
            return
        number = self._numbers[play.name] = self._numbers.get(play.name, 0) + 1
        dice = self._dice.of(f"{play.name} {place} {number}")
        wait = max(dice.between(MILLISECOND_US, 10 * SECOND_US), self._lull_until - self.agenda.now)

        def come() -> None:
            if not self.settling:
                leaves = partial(self._invite, play, place)
                self._begin(f"{play.name}-{number}", play.function, leaves, dice, patient=play.patient)

        self.agenda.after(wait, come)

    def _begin(
        self,
        name: str,
        function: Function,
        leaves: Callable[[], object],
        dice: Dice | None = None,
        *,
        patient: bool = True,
    ) -> Visit:
        visit = Visit(self, name, self._dice.of(name) if dice is None else dice, leaves, patient=patient)
        self.visits.append(visit)
        visit.begin(function)
        return visit

    def _resume(self) -> None:
        """Let everybody go on who has what he waits for."""
        going = True
        while going:
            going = False
            for visit in list(self.visits):
                if visit.waiting is not None and visit.waiting.ready():
                    visit.go_on()
                    going = True
                if visit.done:
                    self.visits.remove(visit)
                    visit.leaves()

    # -- running -------------------------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """Let so much happen; then let nothing go wrong any more, and see that everything comes to rest."""
        self._open()
        for play in self._plan.plays:
            for place in range(play.count):
                self._invite(play, place)
        while self.trace.step < steps and not self._at_end:
            self._step()
        self._settle()
        self._look_at_last()

    @property
    def _at_end(self) -> bool:
        """Whether nothing is going to happen any more but that clocks are looked at."""
        return self._idle > IDLE_MAX or self._quiet_us > QUIET_MAX_US

    def _step(self) -> None:
        self.trace.step += 1
        idle = self._idle
        before = self.agenda.now
        self._draw_faults()
        if not self.agenda.step():
            self._idle += 1
        self._resume()
        if self._idle > idle:
            self._quiet_us += self.agenda.now - before
        else:
            self._idle = self._quiet_us = 0
        if self._broken is not None:
            raise self._broken
        if self.host is not None and self.host.population.residency.broken:
            self._see_set_aside(self.host)

    def _see_set_aside(self, host: SimulatedHost) -> None:
        """See that nobody is set aside but for a note of before that a loss of power brought back."""
        for address, error in host.population.residency.broken.items():
            if not isinstance(error, Suspect) or self.trace.counts["power"] < SUSPECT_TIMES:
                raise Wrong(f"{address[0]} {address[1]!r} was set aside: {error}") from error
            if address not in self._readmitted:
                self._readmitted.add(address)
                self.trace.note("set aside", *address)
                self._begin(f"operator of {address}", partial(self._readmit, address), _nothing)

    async def _readmit(self, address: Address, caller: Caller) -> None:
        """Do what an operator does."""
        try:
            await caller.insist(lambda: caller.actor(self._entity(address[0]), address[1]).readmit())
        finally:
            self._readmitted.discard(address)

    def _entity(self, name: str) -> type[Any]:
        return self.spec(name).cls

    def _settle(self) -> None:
        self.trace.note("settles")
        self.settling = True
        self.faults = Faults.none()
        self.journal.full = False
        self._until(self._settled)

    def _until(self, holds: Callable[[], bool]) -> None:
        last_step, last_us = self.trace.step + SETTLE_STEPS, self.agenda.now + SETTLE_US
        self._idle = self._quiet_us = 0
        while not holds():
            if self.trace.step > last_step or self.agenda.now > last_us or self._at_end:
                raise Wrong(f"nothing goes wrong any more, and it does not come to rest: {self._restless()}")
            self._step()

    def _settled(self) -> bool:
        host = self.host
        return (
            host is not None
            and not any(visit.patient for visit in self.visits)
            and host.at_rest
            and not host.population.residency.broken
            and all(errand.phase == OUTSIDE for errand in host.population.errands.under_way.values())
            and not any(map(_awaits, self.truth.actors.values()))
        )

    def _restless(self) -> str:
        waiting = [(one.name, one.waiting.what) for one in self.visits if one.waiting and one.patient]
        found = [f"{name} waits for {what}" for name, what in waiting]
        if self.host is None:
            found.append("the process does not come back")
        else:
            under_way = self.host.population.errands.under_way.values()
            found += [f"{one} {one.phase}" for one in under_way if one.phase != OUTSIDE]
            found += [f"{one} awaits another" for one in self.truth.actors.values() if _awaits(one)]
        return "; ".join(found[:5]) or "there is always something to write"

    def _look_at_last(self) -> None:
        """See what can be seen of everything at rest."""
        host = self._at_rest()
        before = host.watched.stood.total(), len(host.population.errands.under_way)
        for address in list(self.truth.actors):
            host.population.residency.found(path_of(address), self.agenda.wall())
        after = host.watched.stood.total(), len(host.population.errands.under_way)
        see(before == after, "somebody had something to do, and was not in memory to do it")
        self._until(self._settled)
        host = self._at_rest()
        self._compare(host, self.truth.actors)
        for resident in host.population.residents.values():
            actor = resident.actor
            see(
                not actor.mailbox or actor.holder is not None or actor.stopped is not None,
                f"{actor} has {len(actor.mailbox)} messages that wait for nobody",
            )
        self._see_rows(host)
        self.truth.whole(self.journal)
        visit = self._begin("the last look", self._listing, _nothing)
        self._until(lambda: visit.done)
        for check in [*self._plan.always, *self._plan.at_last]:
            check(self.town)

    def _see_rows(self, host: SimulatedHost) -> None:
        """See that nothing is kept of activities that are over."""
        known = {errand.row for errand in host.population.errands.under_way.values()}
        for row, _ in self.journal.scan(ERRANDS, b"\0", None, at_most=1 << 30):
            if row not in known:
                address, seq = address_of(row), int.from_bytes(row[-2 * NUMBER_BYTES : -NUMBER_BYTES], "big")
                # An attempt that was cancelled first, and whose life was then ended by force, may leave its
                # row behind if the process dies before the attempt ends.
                by_force = self.truth.terminated.get(address, 0) > seq
                see(by_force, f"{address[0]} {address[1]!r} keeps a row of an activity that is over")

    def _at_rest(self) -> SimulatedHost:
        assert self.host is not None, "it has come to rest"
        return self.host

    async def _listing(self, caller: Caller) -> None:
        """See that what a list says of each actor is what its records say, between asking and hearing."""
        for entity in self._plan.entities:
            name = spec_of(entity).name
            before = self._places(name)
            listed = {
                (one.entity, one.key): (one.seq, one.life, one.run) for one in await caller.list(entity)
            }
            after = self._places(name)
            see(before.keys() <= listed.keys() <= after.keys(), f"the list of {name} has {list(listed)}")
            for address, place in listed.items():
                known = before.get(address, (0, 0, 0)), after[address]
                see(
                    known[0] <= place <= known[1], f"the list says {place} of {address}, and it is at {known}"
                )

    def _places(self, name: str) -> dict[Address, tuple[int, int, int]]:
        return {
            address: (actor.seq, actor.life, actor.run)
            for address, actor in self.truth.actors.items()
            if address[0] == name
        }

    def close(self) -> None:
        """Let whatever is suspended do nothing more."""
        for visit in self.visits:
            visit.close()
        self._last_host.die()
        self.truth.silence()


HOUSE: Final = ("crash", "power", "restart", "clock", "lull", "room")


def _awaits(actor: Actor) -> bool:
    """Whether an actor waits for another one's answer, or for its children to end: that comes of itself."""
    return actor.phase == CLOSING or any(one.effect.kind == ASK for one in actor.pending.values())


def _nothing() -> None:
    pass


def _drawn_limits(dice: Dice) -> Limits:
    """Settings that must not matter, each seed with others."""
    return Limits(
        resident_actors=dice.choice((1, 3, 10_000)),
        log_bytes=dice.choice((1, 2_000, 32 << 20)),
        frame_bytes=dice.choice((200, 1 << 20)),
        running_activities=dice.choice((1, 3, 1_000)),
    )


def _bytes_of(batch: Any) -> bytes:
    rows = [(table, key, value) for table, rows in sorted(batch.rows.items()) for key, value in rows.items()]
    return repr((batch.frames, rows)).encode()


def _read_commit(number: int, data: bytes) -> str:
    return f"commit {number}, {len(data)} bytes"
