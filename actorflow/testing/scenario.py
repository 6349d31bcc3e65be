"""``Scenario``: one entity, driven message by message, with the test as its world.

There is no I/O and no waiting: what an actor asks for is there to be looked at, and the test answers it.
After every step, behind the author's back, the whole history goes through the codec and is replayed, and the
actor that comes out has to be the same; at quiet moments it goes through a snapshot as well.
"""

# Long because a test needs everything about one actor in one place, and it is many small verbs.

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, Unpack

from actorflow._authoring.activities import Activity
from actorflow._authoring.callbacks import once_of, read_token, see_opens
from actorflow._authoring.ending import pack_result
from actorflow._authoring.entity import findings_of, spec_of
from actorflow._authoring.handlers import Message
from actorflow._authoring.identity import instant, moment
from actorflow._authoring.keys import check_key
from actorflow._authoring.terms import StartTerms, terms
from actorflow._authoring.waiting import microseconds
from actorflow._codec import schema
from actorflow._codec.failures import error_of, pack_failure
from actorflow._core import facts, phases
from actorflow._core import step as core
from actorflow._core.actor import Actor
from actorflow._core.facts import Ended, Input, Ref
from actorflow._core.image import differences, image
from actorflow._core.once import Ids
from actorflow._core.outstanding import due_next, stuck
from actorflow._core.pending import Promise
from actorflow._core.quiet import quiet, silence
from actorflow._core.replay import replay
from actorflow._core.snapshot import restore, snapshot
from actorflow._determinism import guard
from actorflow._runtime.views import Debt, Entry, Parked, Sent, Waiting, debts, entry, parked, sent, waiting
from actorflow.errors import BadToken, Divergence, NondeterminismError, UsageError

if TYPE_CHECKING:
    from actorflow._authoring.handlers import Query, Signal, Update
    from actorflow._core.spec import Codec

__all__ = ["Reply", "Scenario"]

E = TypeVar("E")
P = ParamSpec("P")
R = TypeVar("R")

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SEED = b"scenario's nonce"
REPLAYED_WHOLE = 200
"""Histories longer than this are checked from their last snapshot, not from their first record."""


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
    ) -> None:
        self.entity = entity
        self.key = check_key(key)
        self.strict = strict
        self._nonce = nonce
        self._now = instant(at)
        self._records: list[bytes] = []
        self._anchor: tuple[bytes, int] = b"", 0
        """A snapshot, and how many records it stands for."""
        self._replies: dict[int, list[Reply[Any]]] = {}
        self.effects: list[facts.Effect] = []
        """What the last call to this scenario made the actor ask for."""
        findings = findings_of(entity)
        if strict and findings:
            first = findings[0]
            raise NondeterminismError(f"{first.file}:{first.line}", first.what, first.instead)
        self._actor = self._vacant(entity)

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
        answer: R = handler.arguments.answer.decode(core.ask(self._actor, handler.name, body, self._now))
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
        if isinstance(what, Waiting):
            body = pack_result(value)
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

    def restart(self, entity: type[Any] | None = None) -> None:
        """Crash, and come back from the journal; with a class, under that code."""
        if entity is not None:
            self.entity = entity
        fresh = self._vacant(self.entity)
        snapshot_, count = self._anchor
        if snapshot_:
            restore(fresh, snapshot_)
            self._give_ids(fresh)
        replay(fresh, self._records[count:])
        silence(self._actor)
        self._actor = fresh
        self._advance()

    def snapshot(self) -> bool:
        """Take a snapshot to come back from; says whether the actor is quiet, for there is none otherwise."""
        if not quiet(self._actor):
            return False
        self._anchor = snapshot(self._actor), len(self._records)
        return True

    def _give_ids(self, fresh: Actor) -> None:
        for id_, known in self._actor.ids.entries().items():
            fresh.ids.remember(id_, known)

    # -- one step, checked -----------------------------------------------------------------------------------

    def _step(self, input_: Input) -> core.Turn:
        self.effects = []
        turn = core.step(self._actor, input_, self._now)
        self._take(turn)
        self._advance()
        self._check()
        return turn

    def _advance(self) -> None:
        """Let the actor take the turns that it has of itself, as every host does before another input."""
        while (more := core.advance(self._actor, self._now)) is not None:
            self._take(more)

    def _take(self, turn: core.Turn) -> None:
        if turn.record is not None:
            self._records.append(turn.record)
        self.effects += turn.effects
        for effect in turn.effects:
            if isinstance(effect, Ended):
                for reply in self._replies.pop(effect.seq, ()):
                    reply.take(effect.outcome, effect.body)

    def _check(self) -> None:
        """The journal gives this actor, and so does a snapshot of it."""
        actor = self._actor
        fresh = self._vacant(self.entity)
        count = 0
        if len(self._records) > REPLAYED_WHOLE or self._anchor[0]:
            restore(fresh, self._anchor[0])
            self._give_ids(fresh)
            count = self._anchor[1]
        replay(fresh, self._records[count:])
        self._compare(fresh, "replaying its journal")
        if quiet(actor):
            taken = snapshot(actor)
            again = self._vacant(self.entity)
            restore(again, taken)
            self._give_ids(again)
            self._compare(again, "reading its snapshot")
            if len(self._records) - self._anchor[1] > REPLAYED_WHOLE:
                self._anchor = taken, len(self._records)
        if self.strict:
            report = stuck(actor)
            if report is not None:
                raise report

    def _compare(self, other: Actor, how: str) -> None:
        differing = differences(image(self._actor), image(other))
        if differing:
            what = f"the actor after {how}"
            raise Divergence(str(self._actor), self._actor.seq, "-", what, *differing[0].split(" and ", 1))
        silence(other)  # or the collector complains of works that its handlers have not begun


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
