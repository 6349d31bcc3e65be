"""``Scenario``: one entity, driven message by message, with the test as its world.

There is no I/O and no waiting: what an actor asks for is there to be looked at, and the test answers it.
After every step, behind the author's back, the whole history goes through the codec and is replayed, and the
actor that comes out has to be the same; at quiet moments it goes through a snapshot as well.

With ``twin=True`` a second actor is given the same and never crashes, and each of the two has a process of
its own for whatever handlers keep outside of them; where they differ, a crash can be noticed.
"""

# Long because a test needs everything about one actor in one place, and it is many small verbs.

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, ParamSpec, TypeVar, Unpack

from actorflow._authoring.activities import Activity
from actorflow._authoring.callbacks import once_of, read_token, see_opens
from actorflow._authoring.ending import pack_result
from actorflow._authoring.entity import findings_of, spec_of
from actorflow._authoring.handlers import Message, Query
from actorflow._authoring.identity import instant, moment
from actorflow._authoring.invariants import broken
from actorflow._authoring.keys import check_key
from actorflow._authoring.terms import StartTerms, terms
from actorflow._authoring.waiting import microseconds
from actorflow._codec import schema, unpack
from actorflow._codec.failures import error_of, pack_failure
from actorflow._core import facts, phases
from actorflow._core import step as core
from actorflow._core.actor import Actor
from actorflow._core.facts import Ended, Input, Instant, Ref
from actorflow._core.image import differences, image
from actorflow._core.once import Ids, Known
from actorflow._core.outstanding import due_next, stuck
from actorflow._core.pending import Promise
from actorflow._core.quiet import can_continue, quiet, silence
from actorflow._core.replay import replay, show
from actorflow._core.snapshot import restore, snapshot
from actorflow._determinism import guard
from actorflow._runtime.views import Debt, Entry, Parked, Sent, Waiting, debts, entry, parked, sent, waiting
from actorflow.errors import (
    BadToken,
    Divergence,
    FaultError,
    InvariantBroken,
    NondeterminismError,
    TwinDiffers,
    UsageError,
    WriteInReading,
)

from .elsewhere import Elsewhere, Journal
from .memory import Memory, Process

if TYPE_CHECKING:
    from actorflow._authoring.handlers import Signal, Update
    from actorflow._core.spec import Codec

__all__ = ["Reply", "Scenario"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SEED = b"scenario's nonce"
REPLAYED_WHOLE = 200
"""Histories longer than this are checked from their last snapshot, not from their first record."""


class Place(NamedTuple):
    """A quiet moment: what it takes to come back to it."""

    records: int
    """How many records the snapshot stands for."""
    snapshot: bytes
    ids: dict[str, Known]


NOWHERE = Place(0, b"", {})


class Reply(Generic[R]):
    """The answer to an update, which may still be outstanding."""

    def __init__(self, where: str, decode: Callable[[bytes], R]) -> None:
        self._where = where
        self._decode = decode
        self._how: str | None = None
        self._body = b""

    @property
    def done(self) -> bool:
        """Whether there is an answer."""
        return self._how is not None

    @property
    def value(self) -> R:
        """The answer; raises what the update raised."""
        if self._how is None:
            raise UsageError(
                f"{self._where} has not answered yet\n  hint: scenario.waiting says what it waits for"
            )
        if self._how == facts.OK:
            return self._decode(self._body)
        raise error_of(self._body, self._where)

    def take(self, how: str, body: bytes) -> None:
        """Here it is."""
        self._how, self._body = how, body

    def __repr__(self) -> str:
        return f"<reply of {self._where}: {self._how or 'outstanding'}>"


class Scenario(Generic[E]):
    """One actor of an entity, and its history."""

    def __init__(
        self,
        entity: type[E],
        key: str = "scenario",
        *,
        at: datetime = BEGINNING,
        strict: bool = True,
        nonce: bytes = SEED,
        twin: bool | Memory = False,
    ) -> None:
        self.entity = entity
        self.key = check_key(key)
        self.strict = strict
        self._nonce = nonce
        self._now = instant(at)
        self._records: list[bytes] = []
        self._anchor = NOWHERE
        """What a restart comes back from."""
        self._last: tuple[int, Input, Instant] | None = None
        """Before how many records the newest input came, that input, and when."""
        self._replies: dict[int, list[Reply[Any]]] = {}
        self.effects: list[facts.Effect] = []
        """What the last call to this scenario made the actor ask for."""
        findings = findings_of(entity)
        if strict and findings and not twin:  # a twin finds out whether it matters
            first = findings[0]
            raise NondeterminismError(f"{first.file}:{first.line}", first.what, first.instead)
        self._actor = self._vacant(entity)
        self._memory = Memory(entity) if twin is True else twin or None
        self._process = self._boot()
        self._twin = self._vacant(entity) if twin else None
        self._twins_process = self._boot()
        self._places: list[Place] = []
        """With a twin, every quiet moment so far."""
        self._questions: list[Query[Any, ..., Any]] = [
            one for one in vars(entity).values() if isinstance(one, Query) and not one.arguments.names
        ]

    @classmethod
    def of_records(cls, entity: type[E], key: str, records: Sequence[bytes]) -> Scenario[E]:
        """The scenario of a journal that was recorded earlier, under the code of ``entity``."""
        scenario = cls(entity, key)
        scenario._records = list(records)
        scenario.restart()
        scenario._now = scenario._actor.now
        return scenario

    @property
    def codec(self) -> Codec:
        """What reads and writes records."""
        return self._actor.spec.codec

    def _vacant(self, entity: type[Any]) -> Actor:
        spec = spec_of(entity)
        actor = Actor(spec, self.key, Ids.within(spec.limits.id_window, spec.limits.id_bytes), self._nonce)
        actor.strict = self.strict
        if self.strict:
            actor.guard = _watch
        return actor

    # -- sending -----------------------------------------------------------------------------------------

    def signal(self, handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send a signal."""
        self._signal(handler, args, kwargs, None)

    def update(self, handler: Update[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> Reply[R]:
        """Send an update."""
        return self._update(handler, args, kwargs, None)

    def query(self, handler: Query[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Ask a query."""
        body = handler.arguments.encode(args, kwargs)
        if self._twin is not None:
            self._compare_answers(handler, body, self._twin, self._twins_process)
        with self._inside(self._process):
            answered = core.ask(self._actor, handler.name, body, self._now)
        answer: R = handler.arguments.answer.decode(answered)
        return answer

    def once(self, id_: str) -> Once[E]:
        """Send with an idempotency key."""
        return Once(self, check_key(id_))

    def start(
        self,
        initial: E,
        **said: Unpack[StartTerms],
    ) -> None:
        """Begin a life with this state."""
        spec = spec_of(self.entity)
        options = tuple(terms("start()", spec, said))
        self._step(Input(facts.START, "", spec.dump(initial), options=options))

    def cancel(self) -> None:
        """Ask the actor to end."""
        self._step(Input(facts.CANCEL))

    def terminate(self) -> None:
        """End the actor at once."""
        self._step(Input(facts.TERMINATE))

    def retry(self, seq: int) -> None:
        """Send a parked message again, as a new one that names it."""
        self._step(Input(facts.RETRY, ref=(seq, 0)))

    def drop(self, seq: int) -> None:
        """Give up a parked message."""
        self._step(Input(facts.DROP, ref=(seq, 0)))

    def discharge(self, seq: int) -> None:
        """Say that what a handler's sagas could not undo has been seen to."""
        self._step(Input(facts.DISCHARGE, ref=(seq, 0)))

    def _signal(self, handler: Message, args: Any, kwargs: Any, id_: str | None) -> None:
        turn = self._step(Input(facts.SIGNAL, handler.name, self._body(handler, args, kwargs), id_))
        if turn.fate == core.ANSWER and turn.how != facts.OK:
            raise error_of(turn.body, handler.where)

    def _update(self, handler: Update[E, ..., R], args: Any, kwargs: Any, id_: str | None) -> Reply[R]:
        reply: Reply[R] = Reply(handler.where, handler.arguments.answer.decode)
        body = self._body(handler, args, kwargs)
        # The answer may come within the step, under a number that is not known before.
        self._replies.setdefault(self._actor.seq + 1, []).append(reply)
        try:
            turn = self._step(Input(facts.UPDATE, handler.name, body, id_))
        finally:
            early = self._replies.get(self._actor.seq + 1)
            if early is not None and reply in early:
                early.remove(reply)
        if turn.fate == core.ANSWER:
            reply.take(turn.how, turn.body)
        elif turn.fate == core.JOIN:
            self._replies.setdefault(turn.seq, []).append(reply)
        return reply

    def _body(self, handler: Message, args: Any, kwargs: Any) -> bytes:
        body = handler.arguments.encode(args, kwargs)
        self._actor.fits(body, handler.where)
        return body

    # -- the world's answers -----------------------------------------------------------------------------

    @property
    def waiting(self) -> list[Waiting]:
        """What the actor waits for, the oldest first."""
        return waiting(self._actor)

    def answer(self, what: object, value: object = None) -> None:
        """Answer the oldest open call of an activity, of another actor's update, or of a child by its key."""
        ref = self._find(what)[1]
        pending = self._actor.pending.get(ref)
        if isinstance(what, Waiting):
            form = None if pending is None else getattr(pending.asked, "arguments", None)
            if isinstance(pending, Promise) and pending.form is not None:
                body = pending.form.encode(value)
            else:
                body = pack_result(value) if form is None else form.answer.encode(value)
        elif isinstance(what, Activity | Message):
            body = what.arguments.answer.encode(value)
        else:
            body = pack_result(value)
        self._resolve(ref, facts.OK, body)

    def fail(self, what: object, error: BaseException) -> None:
        """Let the oldest open call of it fail with this error."""
        self._resolve(self._find(what)[1], facts.FAILED, pack_failure(error))

    def time_out(self, what: object) -> None:
        """Let the oldest open call of it take too long."""
        self._resolve(self._find(what)[1], facts.TIMED_OUT, b"")

    def confirm_cancelled(self, what: object) -> None:
        """Let the oldest cancelled call of it end by that."""
        self._resolve(self._find(what)[1], facts.CANCELLED, b"")

    def resolve(self, token: str, value: object) -> None:
        """Answer a callback by its token; the same answer again changes nothing, another is refused."""
        self._call_back(token, value, None)

    def resolve_with_error(self, token: str, error: BaseException) -> None:
        """Let a callback fail by its token."""
        self._call_back(token, None, error)

    def resolve_ref(self, ref: Ref, how: str, body: bytes) -> core.Turn:
        """Hand the actor a resolution as it is: also a late or a repeated one."""
        return self._resolve(ref, how, body)

    def _call_back(self, token: str, value: object, error: BaseException | None) -> None:
        read = read_token(token)
        if (read.entity, read.key) != self._actor.address:
            raise BadToken(token, f"it is not one of {self._actor}")
        see_opens(token, read, self._actor.nonce)
        pending = self._actor.pending.get(read.ref)
        how, body = (facts.OK, b"") if error is None else (facts.FAILED, pack_failure(error))
        if error is None and pending is not None:
            assert isinstance(pending, Promise), "a token is of a callback"
            body = pending.form.encode(value)
        self._step(Input(facts.RESOLVE, how, body, once_of(read, value, error), read.ref))

    def _find(self, what: object) -> tuple[Waiting, Ref]:
        if isinstance(what, Waiting):
            return what, what.ref
        name = what if isinstance(what, str) else getattr(what, "name", "")
        for one in self.waiting:
            if one.kind == "activity" and one.name == name:
                return one, one.ref
            if one.kind == "update" and one.name.endswith(f".{name}"):
                return one, one.ref
            if one.kind == "child" and one.name.endswith(f" {name!r}"):
                return one, one.ref
        open_ = ", ".join(f"{one.kind} {one.name}" for one in self.waiting) or "nothing"
        raise UsageError(f"{self._actor} does not wait for {name}; it waits for {open_}")

    def _resolve(self, ref: Ref, how: str, body: bytes) -> core.Turn:
        return self._step(Input(facts.RESOLVE, how, body, ref=ref))

    # -- time --------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time in this scenario; it passes only by ``advance``."""
        return moment(self._now)

    def advance(self, duration: timedelta) -> None:
        """Let time pass; what falls due does so in due order, each at its time."""
        target = self._now + microseconds(duration, "advance()")
        effects: list[facts.Effect] = []
        while (next_ := due_next(self._actor)) is not None:
            due, input_ = next_
            if due > target:
                break
            self._now = max(self._now, due)
            self._step(input_)
            effects += self.effects
        if target > self._now:
            self._last = None  # what was before that is on the disk
        self._now = target
        self.effects = effects

    # -- looking -----------------------------------------------------------------------------------------

    @property
    def state(self) -> E:
        """The state, read from its bytes: changing it changes nothing."""
        spec = self._actor.spec
        if self._actor.state is None:
            raise UsageError(f"{self._actor} has no state yet")
        state: E = spec.load(spec.dump(self._actor.state))
        return state

    @property
    def status(self) -> str:
        """``vacant``, ``running``, ``closing``, or how the life ended."""
        return self._actor.status if self._actor.phase == phases.CLOSED else phases.PHASES[self._actor.phase]

    def result(self, type_: type[R]) -> R:
        """What the life ended with."""
        if self._actor.phase != phases.CLOSED:
            raise UsageError(f"{self._actor} has not ended: it is {self.status}")
        if self._actor.status == phases.FAILED:
            raise error_of(self._actor.result, str(self._actor))
        return schema(type_, "result").decode(self._actor.result or b"\xc0")

    @property
    def parked(self) -> list[Parked]:
        """The messages that wait for an operator."""
        return parked(self._actor)

    @property
    def debts(self) -> list[Debt]:
        """What sagas could not undo, and nobody has discharged."""
        return debts(self._actor)

    @property
    def mailbox(self) -> list[str]:
        """The handlers of the messages that wait."""
        return [input_.name or facts.KINDS[input_.kind] for _, input_ in self._actor.mailbox]

    @property
    def open(self) -> list[str]:
        """The handlers that have started and not ended."""
        return [one.handler.name for one in self._actor.open.values()]

    @property
    def sent(self) -> list[Sent]:
        """The signals to other actors that the last call made."""
        return sent(self.effects)

    @property
    def history(self) -> list[Entry]:
        """What has happened, a record each; printing one shows its effects."""
        codec = self._actor.spec.codec
        return [entry(self._actor, codec.unpack_record(data)) for data in self._records]

    @property
    def records(self) -> list[bytes]:
        """The journal, as bytes."""
        return list(self._records)

    # -- crashes and snapshots -----------------------------------------------------------------------------

    def restart(
        self, entity: type[Any] | None = None, *, lost: int = 0, after: timedelta = timedelta(0)
    ) -> None:
        """Crash, and come back from the journal; with a class, under that code.

        The ``lost`` newest records of the last step had not reached the disk: what they were of comes again.
        What fell due while nobody was there, for the time ``after``, is late.
        """
        if entity is not None:
            self.entity = entity
        before = self._image()
        again, missing = self._lose(lost)
        silence(self._actor)
        self._process = self._boot()
        with self._inside(self._process):
            self._actor = self._from(self._anchor, self._records)
            count = len(self._records)
            if again is not None:
                self._take(core.step(self._actor, again, self._now))
            while (more := core.advance(self._actor, self._now)) is not None:
                self._take(more)
        if missing and self._records[count : count + len(missing)] != missing:
            shown = [
                self._shown(self._actor, data[0]) if data else "nothing"
                for data in (self._records[count:], missing)
            ]
            raise TwinDiffers(str(self._actor), self._actor.seq, "what is done again", *shown)
        self._last = None
        if self._twin is not None:
            self._see_same(before, "the actor after a crash")
            self._check()
        self._now += microseconds(after, "restart(after=)")
        self.advance(timedelta(0))

    def passivate(self) -> None:
        """Let the actor leave memory and come back, while the process goes on."""
        before = self._image()
        place = self._place() if quiet(self._actor) else self._anchor
        silence(self._actor)
        with self._inside(self._process):
            self._actor = self._from(place, self._records)
        self._see_same(before, "the actor after it was passivated")
        self._last = None
        self._check()

    def continue_as_new(self) -> bool:
        """Close the run and open the next, as a long one does; says whether that can be done now."""
        actors = [one for one in (self._actor, self._twin) if one is not None]
        if not all(one.phase == phases.RUNNING and not one.new_run and can_continue(one) for one in actors):
            return False
        for one in actors:
            one.continue_wanted = True
        run = self._actor.run
        self.effects = []
        self._last = None
        self._both(lambda _: None)
        for one in actors:
            one.continue_wanted = False
        self._check()
        return self._actor.run > run

    def snapshot(self) -> bool:
        """Take a snapshot to come back from; says whether the actor is quiet, for there is none otherwise."""
        if not quiet(self._actor):
            return False
        self._anchor = self._place()
        return True

    def prove(self) -> tuple[int, Exception] | None:
        """Come back in a new process from quiet moments of all that time, and from nothing.

        Gives the first that does not lead to what is there now, as the number of records before it, and what
        is wrong; a scenario without a twin has kept no moments.
        """
        for place in (NOWHERE, *self._places[:: 1 + len(self._places) // PROVED]):
            process, other = self._boot(), None
            try:
                with self._inside(process):
                    other = self._from(place, self._records)
                self._compare(other, "replaying its journal", let_go=False)
                for question in self._questions:
                    self._compare_answers(question, question.arguments.encode((), {}), other, process)
            except (FaultError, TwinDiffers, WriteInReading) as error:
                return place.records, error
            finally:
                if other is not None:
                    silence(other)
        return None

    def replay_elsewhere(self, there: Elsewhere | None = None) -> None:
        """Replay the journal in another process, under another hash seed and in another time zone.

        The entity has to be found there by its module and its name.
        """
        process = there or Elsewhere(self.entity)
        if not process.possible:
            where = f"{self.entity.__module__}.{self.entity.__qualname__}"
            raise UsageError(f"{where} cannot be found in another process\n  hint: define it in a module")
        try:
            process.replay(self.told())
        finally:
            if there is None:
                process.close()

    def told(self) -> Journal:
        """All of it, with the answers to its queries, for another process."""
        asked: list[tuple[str, bytes]] = []
        for question in self._questions:
            try:
                with self._inside(self._process):
                    body = question.arguments.encode((), {})
                    asked.append((question.name, core.ask(self._actor, question.name, body, self._now)))
            except FATAL:
                raise
            except Exception:  # noqa: BLE001 - whatever it is, it is compared with what comes of it there
                asked.append((question.name, b""))
        return Journal(self.key, self._nonce, list(self._records), self._now, asked)

    def drop_all(self) -> None:
        """Let go of what is suspended: the story is over."""
        for actor in (self._actor, self._twin):
            if actor is not None:
                silence(actor)

    def _place(self) -> Place:
        return Place(len(self._records), snapshot(self._actor), self._actor.ids.entries())

    def _from(self, place: Place, records: Sequence[bytes]) -> Actor:
        """The actor as it comes back."""
        fresh = self._vacant(self.entity)
        if place.snapshot:
            restore(fresh, place.snapshot)
            for id_, known in place.ids.items():
                fresh.ids.remember(id_, known)
        try:
            replay(fresh, records[place.records :])
        except BaseException:
            silence(fresh)
            raise
        return fresh

    def _lose(self, lost: int) -> tuple[Input | None, list[bytes]]:
        """Forget the newest records of the last step; gives its input if that is to come again, and those."""
        if not lost or self._last is None:
            return None, []
        began, input_, _ = self._last
        kept = max(began, len(self._records) - lost, self._anchor.records)
        missing = self._records[kept:]
        del self._records[kept:]
        self._places = [place for place in self._places if place.records <= kept]
        return input_ if missing and kept == began else None, missing

    # -- one step, checked -----------------------------------------------------------------------------------

    def _step(self, input_: Input) -> core.Turn:
        self.effects = []
        self._last = len(self._records), input_, self._now
        (turn, *_) = self._both(lambda actor: core.step(actor, input_, self._now))
        self._check()
        return turn

    def _both(self, begin: Callable[[Actor], core.Turn | None]) -> list[core.Turn]:
        """Do something with the actor, and let it take the turns that it has of itself; the twin, too."""
        if self._twin is None:
            return self._turns(self._actor, begin, self._take)
        mine, problem = self._outcome(self._actor, self._process, begin, self._take)
        if not isinstance(problem, FATAL):
            others, others_problem = self._outcome(self._twin, self._twins_process, begin, lambda _: None)
            if isinstance(others_problem, FATAL):
                raise others_problem
            self._compare_turns(mine, problem, others, others_problem)
        if problem is not None:
            raise problem
        return mine

    def _outcome(
        self,
        actor: Actor,
        process: Process | None,
        begin: Callable[[Actor], core.Turn | None],
        take: Callable[[core.Turn], None],
    ) -> tuple[list[core.Turn], Exception | None]:
        with self._inside(process):
            try:
                return self._turns(actor, begin, take), None
            except Exception as error:  # noqa: BLE001 - whatever it is, the other should do the same
                return [], error

    def _turns(
        self,
        actor: Actor,
        begin: Callable[[Actor], core.Turn | None],
        take: Callable[[core.Turn], None],
    ) -> list[core.Turn]:
        turns: list[core.Turn] = []
        turn = begin(actor)
        while True:
            if turn is not None:
                take(turn)
                turns.append(turn)
            # As every host does before another input.
            turn = core.advance(actor, self._now)
            if turn is None:
                return turns

    def _take(self, turn: core.Turn) -> None:
        if turn.record is not None:
            self._records.append(turn.record)
        self.effects += turn.effects
        for effect in turn.effects:
            if isinstance(effect, Ended):
                for reply in self._replies.pop(effect.seq, ()):
                    reply.take(effect.outcome, effect.body)
        report = broken(self._actor)
        if report is not None:
            raise report

    def _check(self) -> None:
        """The journal gives this actor, and so does a snapshot of it."""
        actor = self._actor
        if self._twin is not None:
            self._check_twin(self._twin)
        else:
            long = len(self._records) > REPLAYED_WHOLE
            fresh = self._from(self._anchor if long or self._anchor.snapshot else NOWHERE, self._records)
            self._compare(fresh, "replaying its journal")
        if quiet(actor):
            place = self._place()
            self._compare(self._from(place, self._records), "reading its snapshot")
            if self._twin is not None:
                self._places.append(place)
            elif len(self._records) - self._anchor.records > REPLAYED_WHOLE:
                self._anchor = place
        if self.strict:
            report = stuck(actor)
            if report is not None:
                raise report

    def _compare(self, other: Actor, how: str, *, let_go: bool = True) -> None:
        differing = differences(image(self._actor), image(other))
        if differing:
            what = f"the actor after {how}"
            raise Divergence(str(self._actor), self._actor.seq, "-", what, *differing[0].split(" and ", 1))
        if let_go:
            silence(other)  # or the collector complains of works that its handlers have not begun

    # -- the twin, and whose memory is in place ------------------------------------------------------------

    def _boot(self) -> Process | None:
        return None if self._memory is None else self._memory.boot()

    def _inside(self, process: Process | None) -> AbstractContextManager[None]:
        if self._memory is None or process is None or self._memory.empty:
            return NOTHING_TO_DO
        return self._memory.inside(process)

    def _image(self) -> dict[str, Any]:
        return image(self._actor) if self._twin is not None else {}

    def _see_same(self, before: dict[str, Any], what: str) -> None:
        if before:
            after = image(self._actor)
            for name, was in before.items():
                if was != after[name]:
                    self._differs(f"{name} of {what}", after[name], was)

    def _differs(self, what: str, mine: object, others: object) -> NoReturn:
        raise TwinDiffers(str(self._actor), self._actor.seq, what, mine, others)

    def _check_twin(self, twin: Actor) -> None:
        mine, others = image(self._actor), image(twin)
        for name in mine:
            if mine[name] != others[name]:
                if name == "state":
                    self._differs("the state", repr(self._actor.state), repr(twin.state))
                self._differs(name, mine[name], others[name])
        for question in self._questions:
            self._compare_answers(question, question.arguments.encode((), {}), twin, self._twins_process)

    def _compare_turns(
        self,
        mine: list[core.Turn],
        problem: Exception | None,
        others: list[core.Turn],
        others_problem: Exception | None,
    ) -> None:
        said, others_said = _said(problem), _said(others_problem)
        if said != others_said:
            self._differs("what came of it", said or "done", others_said or "done")
        for one, other in zip(mine, others, strict=False):
            if one[3:] != other[3:]:
                self._differs("the answer", _answered(one), _answered(other))
            if one.effects != other.effects:
                shown = [[show(self._actor, effect) for effect in turn.effects] for turn in (one, other)]
                self._differs("what is asked for", *shown)
        if [turn.outcome for turn in mine] != [turn.outcome for turn in others]:
            self._differs("what follows", len(mine), len(others))

    def _compare_answers(
        self, question: Query[Any, ..., Any], body: bytes, other: Actor, process: Process | None
    ) -> None:
        answers: list[str] = []
        for actor, memory in ((self._actor, self._process), (other, process)):
            with self._inside(memory):
                try:
                    answered = core.ask(actor, question.name, body, self._now)
                except FATAL:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it is, the other should do the same
                    answers.append(_said(error))
                else:
                    answers.append(repr(question.arguments.answer.decode(answered)))
        if answers[0] != answers[1]:
            self._differs(f"the answer to query {question.name}", *answers)

    def _shown(self, actor: Actor, data: bytes) -> str:
        return str(entry(actor, actor.spec.codec.unpack_record(data)))


FATAL = (FaultError, InvariantBroken, TwinDiffers, WriteInReading)
"""What is not an outcome: the entity is at fault, or the house."""
NOTHING_TO_DO = nullcontext()
PROVED = 8
"""From so many moments; a search has other stories for the others."""


def _said(error: Exception | None) -> str:
    return "" if error is None else f"{type(error).__name__}: {error}"


def _answered(turn: core.Turn) -> str:
    body = f" {unpack(turn.body)!r}" if turn.body else ""
    return f"{turn.fate}: {facts.OUTCOMES[turn.outcome]}, {turn.how}{body}"


class Once(Generic[E]):
    """A scenario whose messages carry an idempotency key: one class in two parts."""

    def __init__(self, scenario: Scenario[E], id_: str) -> None:
        self._scenario = scenario
        self._id = id_

    def signal(self, handler: Signal[E, P], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send a signal, which happens once for this id."""
        scenario = self._scenario
        scenario._signal(handler, args, kwargs, self._id)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - see Once

    def update(self, handler: Update[E, P, R], /, *args: P.args, **kwargs: P.kwargs) -> Reply[R]:
        """Send an update, which happens once for this id."""
        scenario = self._scenario
        return scenario._update(handler, args, kwargs, self._id)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - see Once


def _watch(where: str) -> Callable[[], None]:
    return partial(guard.leave, guard.enter(where))
