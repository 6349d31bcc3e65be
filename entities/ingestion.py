"""What an ingestion knows: how far a document is on its way in, what was decided about it, and by whom."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Final, assert_never

from attrs import define, field, frozen

from actorflow import (
    ActivityFailed,
    Refused,
    RetryPolicy,
    activity,
    callback,
    entity,
    gather,
    main,
    query,
    saga,
    uuid4,
)

__all__ = [
    "Guess",
    "Ingestion",
    "Label",
    "Progress",
    "Question",
    "Step",
    "choose",
    "classify",
    "classify_slowly",
    "fetch",
    "file",
    "notify",
    "read",
    "redact",
    "remove_pages",
    "summarize",
    "translate",
    "withdraw",
]

PAGES_MAX: Final = 500
READ_AT_A_TIME: Final = 4
SURE: Final = 0.9
HARDLY: Final = 0.5
STEPS_MAX: Final = 8
PATIENCE: Final = timedelta(days=2)
ASKED: Final = ("the clerk", "the head of the office")
"""Who is asked, one after the other."""
FEW: Final = RetryPolicy(maximum_attempts=3)


class Label(Enum):
    """What a document can be."""

    INVOICE = "invoice"
    LETTER = "letter"


class Step(Enum):
    """What can be done to a document before it is filed."""

    TRANSLATE = "translate"
    REDACT = "redact"
    SUMMARIZE = "summarize"
    DONE = "done"
    """Nothing more."""


@frozen
class Guess:
    """What a model thinks that a document is, and how sure it is, from 0 to 1."""

    label: Label
    confidence: float


@frozen
class Question:
    """What a person is asked, and the token with which the answer goes to ``runtime.resolve``."""

    token: str
    whom: str
    text: str


@define
class Progress:
    """How far it is."""

    stage: str
    pages: int
    pages_read: int
    label: Label | None
    steps: list[Step]
    question: Question | None


# The world.  Documents and pages lie in a store of yours, and here go only their names: a journal is no place
# for megabytes.  All of these do the same again when they are asked again.


@activity(start_to_close=timedelta(minutes=5))
async def fetch(document: str, source: str) -> list[str]:
    """Copy a document into the store; gives the names of its pages."""
    return [f"{document}/{number}" for number, _ in enumerate(source.split("+"), 1)]


@activity
async def remove_pages(document: str) -> None:
    """Remove what there is of it in the store."""


@activity(concurrency=20)
async def read(page: str) -> None:
    """Read a page, by machine; the text is stored beside it."""


@activity
async def classify(source: str) -> Guess:
    """A small model, which is quick."""
    return Guess(Label.INVOICE, 0.95 if "invoice" in source else 0.7 if "bill" in source else 0.2)


@activity(start_to_close=timedelta(minutes=5), concurrency=2)
async def classify_slowly(source: str) -> Guess:
    """A large model, which is not."""
    return Guess(Label.INVOICE, 0.92 if "bill" in source else 0.3)


def ask_model(prompt: str) -> str:
    """Your language model."""
    return "done" if "summarize" in prompt else "summarize"


@activity(start_to_close=timedelta(minutes=2), retry=FEW)
async def choose(document: str, label: Label, done: list[Step]) -> Step:
    """Ask a language model what is to be done next.

    It may answer anything.  ``Step(...)`` raises where that is no step, and it is asked once more.
    """
    return Step(ask_model(f"{document}, {label.value}; done: {', '.join(step.value for step in done)}"))


@activity
async def translate(document: str) -> None:
    """Put an English text beside it."""


@activity
async def redact(document: str) -> None:
    """Blacken names."""


@activity
async def summarize(document: str) -> None:
    """Put a summary beside it."""


@activity
async def notify(question: Question) -> None:
    """Tell a person that there is a question: by mail, or on a page with buttons."""


@activity
async def file(document: str, label: Label) -> None:
    """Let it be found from now on."""


@activity
async def withdraw(document: str) -> None:
    """Let it be found no more, if it was."""


@entity
class Ingestion:
    """One document on its way in; ends with the name under which it is filed, or leaves nothing behind."""

    source: str
    stage: str = "begins"
    pages: int = 0
    pages_read: int = 0
    label: Label | None = None
    steps: list[Step] = field(factory=list[Step])
    question: Question | None = None

    @main
    async def course(self) -> str:
        """From its source to its place."""
        document = str(uuid4())
        async with saga() as undo:
            undo(remove_pages, document)  # before the step: half a document may be there if that fails
            self.stage = "fetch"
            names = await fetch(document, self.source)
            if not 0 < len(names) <= PAGES_MAX:
                raise Refused(f"{len(names)} pages; from 1 to {PAGES_MAX} can be read")
            self.stage, self.pages = "read", len(names)
            await gather(*(self._read(name) for name in names), at_most=READ_AT_A_TIME)
            self.stage = "classify"
            self.label = await self._classify()
            self.stage = "prepare"
            await self._prepare(document, self.label)
            self.stage = "file"
            undo(withdraw, document)
            await file(document, self.label)
        self.stage = "filed"
        return document

    @query
    def progress(self) -> Progress:
        return Progress(self.stage, self.pages, self.pages_read, self.label, list(self.steps), self.question)

    async def _read(self, page: str) -> None:
        await read(page)
        self.pages_read += 1

    async def _classify(self) -> Label:
        """By a quick model if it is sure, by two that agree, or by a person."""
        quick = await classify(self.source)
        if quick.confidence >= SURE:
            return quick.label
        if quick.confidence >= HARDLY:
            slow = await classify_slowly(self.source)
            if slow.confidence >= SURE or (slow.label is quick.label and slow.confidence >= HARDLY):
                return slow.label
        return Label(await self._person("What is this?", [one.value for one in Label]))

    async def _prepare(self, document: str, label: Label) -> None:
        """Do what a model says, step by step; where it makes no sense, what a person says."""
        while len(self.steps) < STEPS_MAX:
            try:
                step = await choose(document, label, self.steps)
            except ActivityFailed:
                step = None  # it has come up with no step there is
            if step is None or step in self.steps:
                step = Step(await self._person("What is to be done next?", [one.value for one in Step]))
            match step:
                case Step.TRANSLATE:
                    await translate(document)
                case Step.REDACT:
                    await redact(document)
                case Step.SUMMARIZE:
                    await summarize(document)
                case Step.DONE:
                    return
                case _:
                    assert_never(step)
            self.steps.append(step)
        raise Refused(f"after {STEPS_MAX} steps it is still not done")

    async def _person(self, text: str, choices: list[str]) -> str:
        """Ask people, one after the other, until one of them gives an answer that is one."""
        for whom in ASKED:
            answer = callback(str, timeout=PATIENCE)
            self.question = Question(answer.token, whom, f"{text} {', '.join(choices)}?")
            try:
                await notify(self.question)
                said = await answer
            except TimeoutError:
                continue  # to the next one
            finally:
                self.question = None
            if said in choices:
                return said
        raise Refused(f"nobody could say: {text}")
