"""What verifying a journal came to: findings, grouped by cause, and the text that tells a person.

Knows neither journals nor actors.  However many actors diverge, what is kept is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from attrs import define, evolve, field, frozen

from actorflow.errors import ActorflowError, Divergence

__all__ = ["Cause", "Finding", "Report", "Tally"]

KEPT_OF_A_CAUSE: Final = 1_000
CAUSES_MAX: Final = 1_000
"""Beyond these only the numbers are kept."""
SHOWN: Final = 5

SET_ASIDE: Final = "set aside"
PARKED: Final = "parked"
LIMIT: Final = "limit"
PAST: Final = "past"
DIFFERS: Final = "differs"
DIED: Final = "died"
ENDLESS: Final = "endless"
CLOSED: Final = "not opened"

MEANINGS: Final = {
    SET_ASIDE: "it would be set aside, and take nothing until the code is mended",
    PARKED: "what waits would be parked when its turn comes, or its caller refused",
    LIMIT: "it is over a bound: what would make it grow is refused",
    PAST: "it lives on, but at(seq) cannot show how it was then",
    DIFFERS: "it comes out otherwise in another process: what it does is not determined by its records",
    DIED: "the process that replayed it died",
    ENDLESS: "it does not come to an end: a runtime would stand still with it",
    CLOSED: "a runtime would not open this journal",
}
"""What would become of an actor, by its short name."""


@frozen
class Finding:
    """One thing that would go wrong with one actor."""

    entity: str
    key: str
    consequence: str
    """What would become of it: "set aside", "parked", "limit", "past", "differs", "died", "endless", "not
    opened"."""
    error: str
    """The name of the error."""
    fact: str
    """What it says."""
    hint: str = ""
    seq: int | None = None
    """The message at which it was noticed, where that is known."""
    handler: str = ""
    what: str = ""
    """Which part of the record differs."""
    recorded: str = ""
    produced: str = ""
    under: tuple[str, ...] = ()
    """The settings under which it was seen, if it was not under all that were tried."""

    @classmethod
    def of(
        cls,
        address: tuple[str, str],
        consequence: str,
        error: ActorflowError,
        *,
        seq: int | None = None,
        handler: str = "",
    ) -> Finding:
        """What an error says of an actor."""
        found = cls(
            *address,
            consequence,
            type(error).__name__,
            error.fact(),
            error.remedy(),
            seq=seq,
            handler=handler,
        )
        if isinstance(error, Divergence):
            found = evolve(
                found,
                seq=error.seq,
                handler=error.handler,
                what=error.what,
                recorded=str(error.recorded),
                produced=str(error.produced),
            )
        return found

    def only_under(self, settings: tuple[str, ...]) -> Finding:
        """The same, seen under these settings and not under the others."""
        return evolve(self, under=settings)

    @property
    def cause(self) -> tuple[str, ...]:
        """The same for all actors that go wrong in the same way."""
        if self.what.startswith("the state"):
            shapes = self.what, "", ""
        elif self.what:
            shapes = self.what, _shape(self.recorded), _shape(self.produced)
        else:
            said = self.fact.replace(f"{self.entity} {self.key!r}", "").replace(repr(self.key), "")
            shapes = (_DATA.sub("#", said), "", "")
        return (self.entity, self.consequence, self.error, self.handler, *shapes, *self.under)

    def __str__(self) -> str:
        """Give what was found, and the hint on a line of its own."""
        return f"{self.fact}\n  hint: {self.hint}" if self.hint else self.fact


_DATA: Final = re.compile(r"\d+")
_EFFECT: Final = re.compile(r"(\w+)\((?:name='([^']*)')?")


def _shape(text: str) -> str:
    """An effect's kind and name, without what it was asked with; of anything else the text without data."""
    found = _EFFECT.match(text)
    return f"{found[1]} {found[2]}" if found else _DATA.sub("#", text)


@define
class Cause:
    """One way to go wrong, and those who go that way."""

    count: int = 0
    findings: list[Finding] = field(factory=list[Finding])
    """The first thousand."""
    mixed: bool = False
    """What was found when there were too many causes to tell apart."""

    def __str__(self) -> str:
        first = self.findings[0]
        if self.mixed:
            return f"{_many(self.count, 'finding')} of still other causes; the first is\n    {first.fact}"
        others = [found.key for found in self.findings[1:SHOWN]]
        lines = [f"{_many(self.count, 'actor')} of {first.entity}: {MEANINGS[first.consequence]}"]
        if first.under:
            lines.append(f"only under {', '.join(first.under)}")
        who = f"{first.entity} {first.key!r}"
        lines += (first.fact if who in first.fact or not first.key else f"{who}: {first.fact}").splitlines()
        if others:
            more = self.count - 1 - len(others)
            also = ", ".join(map(repr, others))
            lines.append(f"so do {also} and {more:,} more" if more else f"so do {also}")
        if first.hint:
            lines.append(f"hint: {first.hint}")
        return "\n    ".join(lines)


@frozen
class Report:
    """What verifying a journal came to."""

    actors: int
    """Those in the journal, of the entities that were named."""
    verified: int
    messages: int
    """The records that were replayed."""
    causes: tuple[Cause, ...]
    """What would go wrong, the most frequent first."""
    unregistered: Mapping[str, int]
    """Actors of entities that were not named, by entity; they would sleep."""
    suspects: int = 0
    """Actors that a runtime does not try, because the process died while they were being activated."""
    settings: tuple[str, ...] = ()
    """What else was tried, besides things as they are."""
    excepted: tuple[Cause, ...] = ()
    """What would go wrong as well, and is known."""
    stale: tuple[str, ...] = ()
    """What is known, and was not found."""

    @property
    def ok(self) -> bool:
        """Whether nothing would go wrong, but for what is known."""
        return not self.causes

    @property
    def findings(self) -> list[Finding]:
        """What was found; of one cause at most a thousand."""
        return [found for cause in self.causes for found in cause.findings]

    @property
    def divergences(self) -> list[Finding]:
        """Where replay did something else than is recorded."""
        return [found for found in self.findings if found.error == Divergence.__name__]

    def excepting(self, known: Iterable[Finding]) -> Report:
        """The same, where whatever has the cause of one of these is known; it is counted and shown by itself.

        Where not all actors were verified, what was not found may be with the others, and is not stale.
        """
        expected = {finding.cause: finding for finding in known}
        met = {cause.findings[0].cause: cause for cause in self.causes if not cause.mixed}
        stale = [found for cause, found in expected.items() if cause not in met]
        return evolve(
            self,
            causes=tuple(one for one in self.causes if one.mixed or one.findings[0].cause not in expected),
            excepted=tuple(cause for name, cause in met.items() if name in expected),
            stale=tuple(
                f"{one.entity}: {one.fact.splitlines()[0]}" for one in stale if self.verified == self.actors
            ),
        )

    def __str__(self) -> str:
        """Give the whole as a text: what was done, what was found, what to do."""
        share = "all" if self.verified == self.actors else f"{self.verified:,}"
        lines = [
            f"{_many(self.actors, 'actor')}, {share} verified, {_many(self.messages, 'message')} replayed"
            + (f", each also under {', '.join(self.settings)}" if self.settings else "")
        ]
        for entity, count in self.unregistered.items():
            lines.append(f"warning: {_many(count, 'actor')} of {entity}, which was not named, would sleep")
        if self.suspects:
            lines.append(
                f"warning: {_many(self.suspects, 'actor')} during whose activation the process has died; "
                "a runtime waits for readmit()"
            )
        lines += [f"warning: excepted, and not found any more: {one}" for one in self.stale]
        lines += [f"known: {cause}" for cause in self.excepted]
        lines += [f"{number}. {cause}" for number, cause in enumerate(self.causes, 1)]
        known = f"; {_counted(self.excepted)} known" if self.excepted else ""
        if not self.ok:
            lines.append(f"{_counted(self.causes)}{known}")
        elif not self.verified:
            lines.append("there was nothing to verify")
        else:
            lines.append(f"nothing {'else ' if known else ''}would go wrong{known}")
        return "\n".join(lines)


def _counted(causes: tuple[Cause, ...]) -> str:
    return f"{_many(sum(cause.count for cause in causes), 'finding')}, {_many(len(causes), 'cause')}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


OTHERS: Final = ("others",)


class Tally:
    """Findings as they come, in the order of the actors."""

    def __init__(self) -> None:
        self.verified = 0
        self.messages = 0
        self._causes: dict[tuple[str, ...], Cause] = {}

    def take(self, messages: int, findings: Iterable[Finding]) -> None:
        """What came of one actor."""
        self.verified += 1
        self.messages += messages
        for finding in findings:
            self.add(finding)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        cause = self._causes.get(finding.cause)
        if cause is None:
            known = finding.cause if len(self._causes) < CAUSES_MAX else OTHERS
            cause = self._causes.setdefault(known, Cause(mixed=known is OTHERS))
        cause.count += 1
        if len(cause.findings) < KEPT_OF_A_CAUSE:
            cause.findings.append(finding)

    def causes(self) -> tuple[Cause, ...]:
        """The most frequent first; of equals the one that was met first."""
        return tuple(sorted(self._causes.values(), key=lambda cause: -cause.count))
