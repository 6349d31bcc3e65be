"""The search: a Hypothesis state machine whose rules are all that can happen to one actor.

Each rule makes one ``Move`` of a story and plays it on a ``Scenario`` with a twin; at the end of a story the
actor comes back from every place at which it could have crashed.
"""

# Long because a rule is a few lines, and there is one for each thing that can happen.

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, ClassVar, Final, NoReturn

from attrs import frozen
from hypothesis import strategies as st
from hypothesis.control import current_build_context
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from actorflow._authoring.activities import Activity
from actorflow._authoring.entity import spec_of
from actorflow._authoring.handlers import Message
from actorflow._codec.classes import ClassShape
from actorflow._codec.extensions import pack
from actorflow._codec.failures import pack_failure
from actorflow._codec.schema import schema
from actorflow._core import facts, phases
from actorflow._core.image import differences, image
from actorflow._core.outstanding import due_next
from actorflow._core.pending import Promise
from actorflow._core.quiet import can_continue, quiet
from actorflow._runtime.views import Waiting
from actorflow.errors import ActorflowError, CheckFailed, Divergence, Refused, TwinDiffers, UsageError

from .elsewhere import ELSEWHERE, Elsewhere, Journal
from .memory import Memory
from .scenario import Scenario
from .story import Code, Misfit, Move, join, listing, name_of, named, shortened, simpler_values, tell, written
from .values import calls, required, values

__all__ = ["Plan", "Search", "begin", "machine_of", "quietly", "replaying", "sending", "told"]

Drawn = st.SearchStrategy[Any]
IDS: Final = ("id-1", "id-2")
AWAY: Final = (timedelta(0), timedelta(hours=1), timedelta(days=31))
PASSING: Final = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
MICROSECOND: Final = timedelta(microseconds=1)
RARELY: Final = 3
SENT: Final = (facts.SIGNAL, facts.UPDATE)
ASKED: Final = 0
NOTHING: Final = pack(None)
LOGGER: Final = "actorflow.handlers"
STORING: Final = "a snapshot is taken"


@frozen(eq=False)
class Plan:
    """What is searched, and with which values."""

    entity: type[Any]
    arguments: Mapping[Message, Mapping[str, Drawn]]
    answers: Mapping[Any, Drawn]
    """By activity, by another entity's update, or by a child's entity."""
    state: Drawn | None
    """With what a life begins; none where only fields without a default are drawn."""
    keys: Drawn | None
    repeat: str
    """How the same search is begun again."""


def told(plan: Plan, key: str, moves: list[Move], wrong: Exception) -> CheckFailed:
    """What a person is told."""
    what = wrong.fact() if isinstance(wrong, ActorflowError) else f"{type(wrong).__name__}: {wrong}"
    if isinstance(wrong, Divergence) and wrong.what == ELSEWHERE:
        hint = "write sorted(...) where a set is put in an order, hashlib for hash(), and keep times in UTC"
        what += f"\n  hint: it ran under another hash seed and in another time zone; {hint}"
    elif isinstance(wrong, Divergence):
        what += f"\n  hint: the same handlers were run again; {TwinDiffers.advice}"
    elif isinstance(wrong, ActorflowError) and wrong.remedy():
        what += f"\n  hint: {wrong.remedy()}"
    lines = tuple(move.line for move in moves)
    return CheckFailed(
        plan.entity.__name__, what, lines, listing(plan.entity, key, moves), plan.repeat, wrong
    )


@contextmanager
def quietly() -> Generator[None]:
    """Without what handlers log, and without Python's word for works that were dropped before they began."""
    logger = logging.getLogger(LOGGER)
    was, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*was never awaited", RuntimeWarning)
            yield
    finally:
        logger.disabled = was


class Search(RuleBasedStateMachine):
    """What every machine has; its rules for messages are added for each entity."""

    plan: ClassVar[Plan]
    memory: ClassVar[Memory]
    """Of the entity, for the entities that its code names."""

    first: ClassVar[tuple[str, list[Move], Exception] | None] = None
    """The first story that went wrong: its key, its moves, and what is wrong."""

    kept: ClassVar[list[tuple[list[Move], Journal]] | None] = None
    """The stories that went well, where they are wanted."""

    messages: ClassVar[list[tuple[Any, Drawn]]]
    """What can be sent, with its arguments."""
    initial: ClassVar[Drawn | None]
    """With what a life has to begin, where it does not begin by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._quiet = ExitStack()
        self._quiet.enter_context(quietly())
        self.moves: list[Move] = []
        self.failed = False
        self._scenario: Scenario[Any] | None = None
        self.ended: list[facts.Ref] = []
        self.sent: list[tuple[Move, str]] = []
        """What was sent with an id, and that."""
        self.counts: list[int] = []
        """How many records there were after each move."""
        self.key = "scenario"

    @property
    def scenario(self) -> Scenario[Any]:
        """The actor of this story."""
        if self._scenario is None:
            self._scenario = self.begin()
        return self._scenario

    @property
    def actor(self) -> Any:
        return self.scenario._actor  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - one tool in several files

    def use(self, scenario: Scenario[Any]) -> None:
        """Look at this one, of which there is no story."""
        self._scenario, self.failed = scenario, True

    # -- moves -----------------------------------------------------------------------------------------------

    def happen(self, move: Move) -> Move:
        """Let something happen."""
        self.moves.append(move)
        wrong = move.happen(self.scenario)
        if wrong is not None:
            self.fail(wrong)
        self.counts.append(len(self.scenario.records))
        return move

    def fail(self, wrong: Exception) -> NoReturn:
        """Raise what was found."""
        self.failed = True
        cls = type(self)
        if cls.first is None:
            cls.first = self.key, self.moves, wrong
        if current_build_context().is_final:
            raise told(self.plan, self.key, *shortened(self.moves, wrong, self.begin))
        raise told(self.plan, self.key, self.moves, wrong)

    def begin(self) -> Scenario[Any]:
        """An actor of whom nobody has heard, beside its twin."""
        return begin(type(self), self.key)

    def send(self, handler: Message, call: tuple[tuple[Any, ...], dict[str, Any]], id_: str | None) -> None:
        """Send a message."""
        before = len(self.scenario.records)
        move = self.happen(sending(self.plan.entity, handler, *call, id_))
        if id_ is not None and len(self.scenario.records) > before:
            self.sent.append((move, id_))

    # -- what the world does ---------------------------------------------------------------------------------

    def answerable(self) -> list[tuple[int, Waiting]]:
        """What waits for the world, with its place among all that is awaited."""
        kinds = ("activity", "callback", "update", "child")
        return [(at, one) for at, one in enumerate(self.scenario.waiting) if one.kind in kinds]

    def answers_of(self, one: Waiting) -> Drawn:
        """What it can be answered with, as bytes."""
        plan, pending = self.plan, self.actor.pending.get(one.ref)
        asked = getattr(pending, "asked", None)
        if isinstance(asked, Activity):
            return _encoded(asked.arguments.answer, plan.answers.get(asked.name))
        if isinstance(pending, Promise) and pending.form is not None:
            return _encoded(pending.form, plan.answers.get("callback"))
        effect = getattr(pending, "effect", None)
        if isinstance(effect, facts.Ask):
            entity = self.memory.entities.get(effect.entity)
            handler = None if entity is None else _handlers(entity).get(effect.name)
            given = plan.answers.get(f"{effect.entity}.{effect.name}")
            return st.just(NOTHING) if handler is None else _encoded(handler.arguments.answer, given)
        address = self.actor.child_refs.get(one.ref)
        entity = None if address is None else self.memory.entities.get(address[0])
        course = None if entity is None else _main(entity)
        given = None if address is None else plan.answers.get(address[0])
        return st.just(NOTHING) if course is None else _encoded(course.arguments.answer, given)

    def resolve(
        self, at: int, one: Waiting, how: str, body: bytes, words: str, verb: str, *given: Code
    ) -> None:
        """Let the world answer."""
        asked = getattr(self.actor.pending.get(one.ref), "asked", None)
        rest = "".join(", {}" for _ in given)
        line = join(f"{{0}}.{verb}({{0}}.waiting[{at}]{rest})", *given)
        if isinstance(asked, Activity) and not any(
            other.kind == "activity" and other.name == one.name for other in self.scenario.waiting[:at]
        ):
            line = join(f"{{0}}.{verb}({{}}{rest})", name_of(asked.function), *given)

        def play(scenario: Scenario[Any]) -> None:
            waiting = scenario.waiting
            if at >= len(waiting) or (waiting[at].kind, waiting[at].name) != (one.kind, one.name):
                raise Misfit
            scenario.resolve_ref(waiting[at].ref, how, body)

        self.happen(Move(f"{_called(one)} {words}", (line,), play))
        self.ended.append(one.ref)

    # -- rules that every entity has -----------------------------------------------------------------------

    @precondition(lambda self: bool(self.answerable()))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """An activity, a callback, another actor's update or a child ends well."""
        self._answer(data, *data.draw(st.sampled_from(self.answerable())))

    @precondition(lambda self: bool(self.answerable()))
    @rule(data=st.data())
    def answer_oldest(self, data: st.DataObject) -> None:
        """What has waited longest ends well: so that long stories get somewhere."""
        self._answer(data, *self.answerable()[0])

    def _answer(self, data: st.DataObject, at: int, one: Waiting) -> None:
        value, body = data.draw(self.answers_of(one))
        shown = written(value)
        self.resolve(at, one, facts.OK, body, f"gives {shown.text}", "answer", shown)

    @precondition(lambda self: bool(self.answerable()))
    @rule(data=st.data())
    def go_wrong(self, data: st.DataObject) -> None:
        """One of them fails, takes too long, or ends as cancelled."""
        at, one = data.draw(st.sampled_from(self.answerable()))
        ways = [facts.FAILED, facts.TIMED_OUT, "refused"] if one.kind != "child" else [facts.FAILED]
        child = self.actor.children.get(self.actor.child_refs.get(one.ref))
        if one.withdrawn or (child is not None and child.told):
            ways = [facts.CANCELLED, *ways]
        how = data.draw(st.sampled_from(ways))
        if how == facts.CANCELLED:
            self.resolve(at, one, how, b"", "ends as cancelled", "confirm_cancelled")
        elif how == facts.TIMED_OUT:
            self.resolve(at, one, how, b"", "takes too long", "time_out")
        else:
            error = Refused("no") if how == "refused" else RuntimeError("it failed")
            self.resolve(at, one, facts.FAILED, pack_failure(error), "fails", "fail", written(error))

    @precondition(lambda self: any(one.withdrawn for _, one in self.answerable()))
    @rule()
    def end_cancelled(self) -> None:
        """What was cancelled ends by that."""
        at, one = next(found for found in self.answerable() if found[1].withdrawn)
        self.resolve(at, one, facts.CANCELLED, b"", "ends as cancelled", "confirm_cancelled")

    @precondition(lambda self: bool(self.ended))
    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        """What has been answered is answered again, late."""
        ref = data.draw(st.sampled_from(self.ended))
        before = self._seen()
        line = Code(f'{{0}}.resolve_ref({ref}, "ok", {NOTHING!r})')
        self.happen(
            Move("an answer comes twice", (line,), lambda one: one.resolve_ref(ref, facts.OK, NOTHING))
        )
        if ref not in self.actor.child_refs:
            self._unchanged(before, "an answer that came twice")

    @precondition(lambda self: bool(self.sent))
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """What was sent with an id is sent again."""
        move, id_ = data.draw(st.sampled_from(self.sent))
        known = self.actor.ids.find(id_, max(self.actor.now, facts_now(self.scenario)))
        before = self._seen()
        self.happen(Move(f"again: {move.words}", move.lines, move.play))
        if known is not None:
            self._unchanged(before, "a message that came twice")

    def _seen(self) -> dict[str, Any]:
        return image(self.actor)

    def _unchanged(self, before: dict[str, Any], what: str) -> None:
        differing = differences(before, image(self.actor))
        if differing:
            self.fail(UsageError(f"{what} has changed the actor: {differing[0]}"))

    @rule(how=st.sampled_from(["due", "short", "before", "after"]), passing=st.sampled_from(PASSING))
    def time_passes(self, how: str, passing: timedelta) -> None:
        """Time passes: as long as it is, or to what falls due next, or to just before or after that."""
        next_ = due_next(self.actor)
        if next_ is not None and how != "short":
            left = timedelta(microseconds=max(0, next_[0] - facts_now(self.scenario)))
            passing = {
                "due": left,
                "before": max(left - MICROSECOND, timedelta(0)),
                "after": left + PASSING[0],
            }[how]
        self.happen(_passing(passing))

    @precondition(lambda self: bool(self.counts))
    @rule()
    def take_snapshot(self) -> None:
        """What is there is stored, to be come back from."""
        if quiet(self.actor):
            self.happen(_storing())

    @precondition(lambda self: bool(self.counts))
    @rule(lost=st.sampled_from([0, 1, 9]), after=st.sampled_from(AWAY))
    def crash(self, lost: int, after: timedelta) -> None:
        """The process dies."""
        self.happen(_crashing(lost, after))

    @precondition(lambda self: bool(self.counts))
    @rule()
    def leave_memory(self) -> None:
        """The actor is passivated, and comes back."""
        words = "the actor leaves memory and comes back"
        self.happen(Move(words, (Code("{0}.passivate()"),), lambda one: one.passivate()))

    @precondition(lambda self: self.actor.phase == phases.RUNNING and can_continue(self.actor))
    @rule()
    def continue_as_new(self) -> None:
        """The run is closed and the next one opened."""
        if not self.actor.new_run:
            words = "the run is closed, and the next one opened"
            self.happen(Move(words, (Code("{0}.continue_as_new()"),), lambda one: one.continue_as_new()))

    @precondition(lambda self: bool(self.actor.parked))
    @rule(data=st.data(), again=st.booleans())
    def see_to_what_is_parked(self, data: st.DataObject, again: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        """Somebody retries what was set aside, or drops it."""
        seq = data.draw(st.sampled_from(list(self.actor.parked)))
        verb = "retry" if again else "drop"
        words = "is tried again" if again else "is given up"
        line = Code(f"{{0}}.{verb}({seq})")
        self.happen(Move(f"parked message {seq} {words}", (line,), lambda one: getattr(one, verb)(seq)))

    @precondition(lambda self: self.actor.phase in (phases.RUNNING, phases.CLOSING))
    @rule(rarely=st.integers(1, RARELY), harshly=st.sampled_from([False, False, True]))
    def end(self, rarely: int, harshly: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        """Somebody ends the actor."""
        if rarely == RARELY:
            verb = "terminate" if harshly else "cancel"
            words = "the actor is ended by force" if harshly else "the actor is told to end"
            self.happen(Move(words, (Code(f"{{0}}.{verb}()"),), lambda one: getattr(one, verb)()))

    # -- the end -------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Come back from everywhere; then the story is over."""
        with self._quiet:
            self._end()

    def _end(self) -> None:
        if self._scenario is None:
            return
        try:
            found = None if self.failed else self._scenario.prove()
            if found is not None:
                self._tell_with_a_crash(*found)
            if self.kept is not None and not self.failed:
                self.kept.append((self.moves, self._scenario.told()))
        finally:
            self._scenario.drop_all()

    def _tell_with_a_crash(self, count: int, error: Exception) -> None:
        """Find out how a crash shows there, and tell that story."""
        if count:
            at = next((place for place, seen in enumerate(self.counts, 1) if seen >= count), 0)
            moves = [*self.moves[:at], _storing(), _crashing(), *self.moves[at:]]
        else:  # the crash has to replay it all, and would replay what came after the last snapshot
            moves = [*(move for move in self.moves if move.words != STORING), _crashing()]
        found = tell(moves, self.begin)
        self.moves, wrong = (moves, error) if found is None else found
        self.fail(wrong)


# ---- moves with values -------------------------------------------------------------------------------


def sending(
    entity: type[Any], handler: Message, args: tuple[Any, ...], kwargs: dict[str, Any], id_: str | None
) -> Move:
    """A message to the actor."""
    shown = [written(value) for value in args]
    shown += [named(name, value) for name, value in kwargs.items()]
    told_ = ", ".join(code.text for code in shown)
    once = f'.once("{id_}")' if id_ else ""
    holes = "".join(", {}" for _ in shown)
    line = join(f"{{0}}{once}.{handler.word}({{}}{holes})", name_of_handler(entity, handler), *shown)

    def play(scenario: Scenario[Any]) -> None:
        sender: Any = scenario.once(id_) if id_ else scenario
        getattr(sender, handler.word)(handler, *args, **kwargs)

    def simpler() -> Iterator[Move]:
        if id_ is not None:
            yield sending(entity, handler, args, kwargs, None)
        for at, value in enumerate(args):
            for one in simpler_values(value):
                changed = (*args[:at], one, *args[at + 1 :])
                if _fits(handler, changed, kwargs):
                    yield sending(entity, handler, changed, kwargs, id_)
        for name, value in kwargs.items():
            for one in simpler_values(value):
                if _fits(handler, args, {**kwargs, name: one}):
                    yield sending(entity, handler, args, {**kwargs, name: one}, id_)

    words = f"{handler.word} {handler.name}({told_})" + (f" once, as {id_!r}" if id_ else "")
    return Move(words, (line,), play, simpler, reads=handler.kind == ASKED)


def _fits(handler: Message, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    try:
        handler.arguments.encode(args, kwargs)
    except ActorflowError:
        return False
    return True


def _passing(passing: timedelta) -> Move:
    def simpler() -> Iterator[Move]:
        yield from map(_passing, simpler_values(passing))

    line = join("{0}.advance({})", written(passing))
    return Move(f"{passing} pass", (line,), lambda one: one.advance(passing), simpler)


def _storing() -> Move:
    return Move(STORING, (Code("{0}.snapshot()"),), lambda one: one.snapshot())


def _crashing(lost: int = 0, after: timedelta = timedelta(0)) -> Move:
    def simpler() -> Iterator[Move]:
        if lost:
            yield _crashing(0, after)
        if lost > 1:
            yield _crashing(1, after)
        if after:
            yield _crashing(lost)

    given = [Code(f"lost={lost}")] if lost else []
    words = "the process dies" + (" before the newest of it is on the disk" if lost else "")
    if after:
        given.append(named("after", after))
        words += f", and is started again {after} later"
    line = join(f"{{0}}.restart({', '.join('{}' for _ in given)})", *given)
    return Move(words, (line,), lambda one: one.restart(lost=lost, after=after), simpler)


def begin(made: type[Search], key: str) -> Scenario[Any]:
    """An actor of whom nobody has heard, beside its twin."""
    return Scenario(made.plan.entity, key, twin=made.memory)


def machine_of(plan: Plan) -> type[Search]:
    """The machine of an entity."""
    entity, spec = plan.entity, spec_of(plan.entity)
    members: dict[str, Any] = {
        "plan": plan,
        "memory": Memory(entity),
        "__doc__": f"All that can happen to a {spec.name}.",
    }
    needs_start = spec.new is None
    messages: list[tuple[Any, Drawn]] = []
    for handler in _handlers(entity).values():
        drawn = calls(handler.function, handler.arguments.shapes, plan.arguments.get(handler, {}))
        if handler.kind in SENT:
            messages.append((handler, drawn))
            made: Any = _sends(handler, drawn)
        elif handler.kind == ASKED and handler.arguments.names:
            made = _asks(handler, drawn)
        else:
            continue
        begun = precondition(lambda self: self.actor.life > 0)
        taken = f"handle_{handler.name}" if hasattr(Search, handler.name) else handler.name
        members[taken] = begun(made) if needs_start or handler.kind == ASKED else made
        if handler.kind in SENT:
            # Twice, or most of a story would be what happens around it.
            again = _sends(handler, drawn, "_more")
            members[f"{taken}_more"] = begun(again) if needs_start else again
    form = schema(entity, spec.name).shape
    assert isinstance(form, ClassShape), "an entity is a class"
    state = plan.state if plan.state is not None else required(form, {})
    members["begin_life"] = _begins(state, needs_start=needs_start or plan.state is not None)
    if plan.keys is not None:
        members["be_called"] = _called_by(plan.keys)
    members["messages"], members["initial"] = messages, state if needs_start else None
    return type(f"{entity.__name__}Machine", (Search,), members)


def _called_by(keys: Drawn) -> Any:
    def be_called(self: Search, key: str) -> None:
        """The actor has this key."""
        self.key = key

    return initialize(key=keys)(be_called)


def _sends(handler: Message, drawn: Drawn, more: str = "") -> Any:
    ids = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(IDS))

    def send(self: Search, call: Any, id_: str | None) -> None:
        self.send(handler, call, id_)

    send.__name__ = f"{handler.name}{more}"
    return rule(call=drawn, id_=ids)(send)


def _asks(handler: Message, drawn: Drawn) -> Any:
    def ask(self: Search, call: Any) -> None:
        self.send(handler, call, None)

    ask.__name__ = handler.name
    return rule(call=drawn)(ask)


def _begins(state: Drawn, *, needs_start: bool) -> Any:
    first = (phases.VACANT, phases.CLOSED) if needs_start else (phases.CLOSED,)

    def begin_life(self: Search, initial: Any) -> None:
        """A life is begun with a state."""
        self.happen(_beginning(initial))

    return precondition(lambda self: self.actor.phase in first)(rule(initial=state)(begin_life))


def replaying(there: Elsewhere) -> Move:
    """The same in another process."""
    words = "the records are replayed in another process, under another hash seed and in another time zone"
    return Move(words, (Code("{0}.replay_elsewhere()"),), lambda one: one.replay_elsewhere(there))


def _beginning(initial: Any) -> Move:
    def simpler() -> Iterator[Move]:
        yield from map(_beginning, simpler_values(initial))

    shown = written(initial)
    line = join('{0}.start({}, if_completed="new")', shown)
    words = f"a life begins with {shown.text}"
    return Move(words, (line,), lambda one: one.start(initial, if_completed="new"), simpler)


def name_of_handler(entity: type[Any], handler: Message) -> Code:
    """As ``Cart.add``."""
    named = name_of(entity)
    attribute = next(name for name, value in vars(entity).items() if value is handler)
    return Code(f"{named.text}.{attribute}", named.needs)


def _handlers(entity: type[Any]) -> dict[str, Message]:
    return {one.name: one for one in vars(entity).values() if isinstance(one, Message)}


def _main(entity: type[Any]) -> Message | None:
    """The course of an entity whose life ends with an answer."""
    return next((one for one in _handlers(entity).values() if one.kind == facts.MAIN), None)


def _encoded(form: Any, given: Drawn | None) -> Drawn:
    drawn = values(form.shape) if given is None else given
    return drawn.map(lambda value: (value, form.encode(value)))


def _called(one: Waiting) -> str:
    name = one.name if one.kind != "callback" else f"the callback for {one.name}"
    shown = ", ".join(map(repr, one.arguments))
    return f"{name}({shown})" if one.kind in ("activity", "update") else name


def facts_now(scenario: Scenario[Any]) -> int:
    """The time of a scenario, as the core counts it."""
    return scenario._now  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001 - one tool in several files
