"""The story of a document on its way in: read, labelled, prepared, filed; or undone, with nothing left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from actorflow import ActorHandle, HandlerFailed, Refused, Runtime, TokenSpent
from actorflow.testing import Scenario
from entities.ingestion import (
    ASKED,
    PAGES_MAX,
    PATIENCE,
    READ_AT_A_TIME,
    STEPS_MAX,
    Guess,
    Ingestion,
    Label,
    Question,
    Step,
    choose,
    classify,
    classify_slowly,
    fetch,
    file,
    notify,
    read,
    redact,
    remove_pages,
    summarize,
    translate,
    withdraw,
)
from persistence import MemoryJournal
from tests.domain.props import Clock, cut_off, until


def asked(document: Scenario[Ingestion]) -> list[str]:
    """The activities that are asked for, by their names."""
    return [one.name for one in document.waiting if one.kind == "activity"]


def question(document: Scenario[Ingestion]) -> Question:
    """What a person is asked now."""
    shown = document.query(Ingestion.progress).question
    assert shown is not None
    return shown


@pytest.fixture
def document() -> Scenario[Ingestion]:
    """A document with three pages, which are read."""
    begun = Scenario(Ingestion, "doc-1")
    begun.start(Ingestion("mail/7"))
    begun.answer(fetch, ["a", "b", "c"])
    for _ in range(3):
        begun.answer(read)
    return begun


def labelled(document: Scenario[Ingestion]) -> None:
    """The quick model is sure."""
    document.answer(classify, Guess(Label.INVOICE, 0.97))


# ---- one after the other, and several at a time ------------------------------------------------------


def test_a_document_comes_in(document: Scenario[Ingestion]) -> None:
    """Each step begins when the one before has ended, across a restart at each."""
    for step, answer in (
        (classify, Guess(Label.INVOICE, 0.97)),
        (choose, Step.SUMMARIZE),
        (summarize, None),
        (choose, Step.DONE),
        (file, None),
    ):
        assert asked(document) == [step.name]
        document.restart()
        document.answer(step, answer)
    assert document.status == "completed"
    assert document.query(Ingestion.progress).stage == "filed"
    assert len(document.result(str)) == len("01234567-89ab-cdef-0123-456789abcdef")


def test_pages_are_read_a_few_at_a_time() -> None:
    """Never more than the bound are under way, and it can be seen how many are done."""
    document = Scenario(Ingestion, "doc-1")
    document.start(Ingestion("book"))
    document.answer(fetch, [f"page-{number}" for number in range(10)])
    for done in range(10):
        assert len(asked(document)) == min(READ_AT_A_TIME, 10 - done)
        assert document.query(Ingestion.progress).pages_read == done
        document.answer(read)
    assert asked(document) == [classify.name]


@pytest.mark.parametrize("pages", [0, PAGES_MAX + 1])
def test_pages_are_bounded(pages: int) -> None:
    """Nothing, and more than a life can hold, is undone and refused."""
    document = Scenario(Ingestion, "doc-1")
    document.start(Ingestion("library"))
    document.answer(fetch, [str(number) for number in range(pages)])
    document.answer(remove_pages)
    with pytest.raises(Refused, match=f"{pages} pages"):
        document.result(str)


# ---- by how sure one is ------------------------------------------------------------------------------


def test_who_is_sure_is_believed(document: Scenario[Ingestion]) -> None:
    """A quick model that is sure decides alone."""
    labelled(document)
    assert asked(document) == [choose.name]
    assert document.query(Ingestion.progress).label is Label.INVOICE


@pytest.mark.parametrize("second", [Guess(Label.INVOICE, 0.6), Guess(Label.INVOICE, 0.95)])
def test_two_that_agree_are_believed(document: Scenario[Ingestion], second: Guess) -> None:
    """Where the quick model is half sure a slow one is asked, and if it says the same, that is it."""
    document.answer(classify, Guess(Label.INVOICE, 0.6))
    document.answer(classify_slowly, second)
    assert document.query(Ingestion.progress).label is Label.INVOICE


@pytest.mark.parametrize("second", [Guess(Label.LETTER, 0.8), Guess(Label.INVOICE, 0.4), None])
def test_who_is_not_sure_asks_a_person(document: Scenario[Ingestion], second: Guess | None) -> None:
    """Models that do not agree, or do not know, leave it to a person, whose answer survives a restart."""
    document.answer(classify, Guess(Label.INVOICE, 0.6 if second else 0.2))
    if second:
        document.answer(classify_slowly, second)
    shown = question(document)
    assert (shown.whom, shown.text) == (ASKED[0], "What is this? invoice, letter?")
    document.restart()
    document.resolve(shown.token, "letter")
    document.answer(notify)
    assert document.query(Ingestion.progress).label is Label.LETTER
    assert document.query(Ingestion.progress).question is None


# ---- people ------------------------------------------------------------------------------------------


def test_who_does_not_answer_is_passed_over(document: Scenario[Ingestion]) -> None:
    """After two days the next one is asked; the first one's answer comes too late, and he is told so."""
    document.answer(classify, Guess(Label.INVOICE, 0.1))
    first = question(document)
    document.answer(notify)
    document.advance(PATIENCE)
    second = question(document)
    assert (second.whom, second.token != first.token) == (ASKED[1], True)
    document.answer(notify)
    with pytest.raises(TokenSpent):
        document.resolve(first.token, "invoice")
    document.resolve(second.token, "letter")
    assert document.query(Ingestion.progress).label is Label.LETTER


def test_an_answer_that_is_none_goes_to_the_next(document: Scenario[Ingestion]) -> None:
    """What a person says is looked at like what a model says."""
    document.answer(classify, Guess(Label.INVOICE, 0.1))
    document.answer(notify)
    document.resolve(question(document).token, "a poem")
    assert question(document).whom == ASKED[1]


def test_where_nobody_answers_nothing_is_left(document: Scenario[Ingestion]) -> None:
    """When all have been asked in vain the pages are removed, and the life ends with the reason."""
    document.answer(classify, Guess(Label.INVOICE, 0.1))
    for _ in ASKED:
        document.answer(notify)
        document.advance(PATIENCE)
    assert asked(document) == [remove_pages.name]
    document.answer(remove_pages)
    with pytest.raises(Refused, match="nobody could say: What is this"):
        document.result(str)


# ---- by what a model says is next --------------------------------------------------------------------


def test_a_model_says_what_is_next(document: Scenario[Ingestion]) -> None:
    """The steps are those it names, in its order, until it says that it is done."""
    labelled(document)
    for step, doing in ((Step.TRANSLATE, translate), (Step.REDACT, redact)):
        document.answer(choose, step)
        assert asked(document) == [doing.name]
        document.answer(doing)
    document.answer(choose, Step.DONE)
    assert document.query(Ingestion.progress).steps == [Step.TRANSLATE, Step.REDACT]
    assert asked(document) == [file.name]


def test_a_model_that_names_no_step_is_no_guide(document: Scenario[Ingestion]) -> None:
    """Where it comes up with no step there is, or with one that was done, a person says what is next."""
    labelled(document)
    document.fail(choose, ValueError("'poetize' is not a valid Step"))
    document.answer(notify)
    document.resolve(question(document).token, "summarize")
    document.answer(summarize)
    document.answer(choose, Step.SUMMARIZE)  # again?
    document.answer(notify)
    document.resolve(question(document).token, "done")
    assert asked(document) == [file.name]


async def test_what_a_model_makes_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The activity itself answers with a step or fails: the type says so."""
    monkeypatch.setattr("entities.ingestion.ask_model", lambda prompt: f"I would {prompt}")
    with pytest.raises(ValueError, match="not a valid Step"):
        await choose("doc", Label.LETTER, [])


def test_a_model_that_never_ends_is_stopped(document: Scenario[Ingestion]) -> None:
    """So many steps and no more, whoever asks for them; then it is undone."""
    labelled(document)
    for _ in range(STEPS_MAX):
        document.answer(choose, Step.TRANSLATE)
        if notify.name in asked(document):
            document.answer(notify)
            document.resolve(question(document).token, "translate")
        document.answer(translate)
    document.answer(remove_pages)
    with pytest.raises(Refused, match="still not done"):
        document.result(str)


# ---- undoing -----------------------------------------------------------------------------------------


def test_what_fails_is_undone_as_far_as_it_came(document: Scenario[Ingestion]) -> None:
    """Filing fails, and nobody knows how far: it is withdrawn, then the pages go, in reverse."""
    labelled(document)
    document.answer(choose, Step.DONE)
    document.fail(file, RuntimeError("the index is broken"))
    assert asked(document) == [withdraw.name]
    document.restart()
    document.answer(withdraw)
    assert asked(document) == [remove_pages.name]
    document.answer(remove_pages)
    assert document.status == "failed"
    with pytest.raises(HandlerFailed, match="the index is broken"):
        document.result(str)


def test_a_page_that_cannot_be_read_ends_it() -> None:
    """The other pages are not read on for nothing; what was not begun need not be undone."""
    document = Scenario(Ingestion, "doc-1")
    document.start(Ingestion("mail/7"))
    document.answer(fetch, list("abcdefgh"))
    document.fail(read, RuntimeError("coffee on it"))
    for _ in range(READ_AT_A_TIME - 1):
        document.confirm_cancelled(read)
    assert asked(document) == [remove_pages.name]
    document.answer(remove_pages)
    assert document.status == "failed"


def test_what_cannot_be_undone_is_said(document: Scenario[Ingestion]) -> None:
    """An operator learns which compensation failed, and which did not."""
    labelled(document)
    document.answer(choose, Step.DONE)
    document.fail(file, RuntimeError("the index is broken"))
    document.fail(withdraw, RuntimeError("still broken"))
    document.answer(remove_pages)
    with pytest.raises(HandlerFailed, match="withdraw"):
        document.result(str)


def test_whoever_cancels_it_has_it_undone(document: Scenario[Ingestion]) -> None:
    """A document that is called back while a person thinks about it is gone, pages and all."""
    document.answer(classify, Guess(Label.INVOICE, 0.1))
    document.answer(notify)
    document.cancel()
    assert asked(document) == [remove_pages.name]
    document.answer(remove_pages)
    assert document.status == "cancelled"


# ---- in a runtime ------------------------------------------------------------------------------------


async def asks(document: ActorHandle[Ingestion]) -> Question:
    """The question that a person is asked, once it is."""
    progress = await until(lambda: document.query(Ingestion.progress), lambda now: now.question is not None)
    assert progress.question is not None
    return progress.question


async def test_a_document_comes_in_by_itself() -> None:
    """With the activities that are there, from its source to its place."""
    async with Runtime(MemoryJournal(), entities=[Ingestion], strict=True) as runtime:
        document = await runtime.start(Ingestion("invoice+of+many+pages"), "doc-1")
        name = await document.result(str)
        progress = await document.query(Ingestion.progress)
        assert (progress.stage, progress.pages_read, progress.steps) == ("filed", 4, [Step.SUMMARIZE])
        assert len(name) == 36


async def test_a_person_answers_days_later_to_another_process() -> None:
    """The clerk is away, two days pass, the process ends twice, and the head of the office says."""
    journal, clock = MemoryJournal(), Clock(datetime(2026, 1, 1, tzinfo=UTC))
    async with Runtime(journal, entities=[Ingestion], strict=True, clock=clock) as runtime:
        first = await asks(await runtime.start(Ingestion("scribble"), "doc-1"))
        assert first.whom == ASKED[0]
    clock.at += PATIENCE + timedelta(minutes=1)
    async with Runtime(journal, entities=[Ingestion], strict=True, clock=clock) as runtime:
        document = runtime.actor(Ingestion, "doc-1")
        shown = await until(lambda: asks(document), lambda shown: shown.whom == ASKED[1])
    async with Runtime(journal, entities=[Ingestion], strict=True, clock=clock) as runtime:
        document = runtime.actor(Ingestion, "doc-1")
        for _ in range(2):
            await runtime.resolve(shown.token, "letter")  # again changes nothing
        await document.result(str)
        assert (await document.query(Ingestion.progress)).label is Label.LETTER


async def test_it_ends_the_same_wherever_the_process_dies() -> None:
    """From each frame of its journal on, the document comes in under the same name, with the same label."""
    journal = MemoryJournal()
    async with Runtime(journal, entities=[Ingestion], strict=True) as runtime:
        document = await runtime.start(Ingestion("bill+of+three"), "doc-1")
        name = await document.result(str)
        frames = [frame for _, frame in journal.frames()]
    assert len(frames) > 5
    for length in range(1, len(frames) + 1):
        async with Runtime(cut_off(frames[:length]), entities=[Ingestion], strict=True) as runtime:
            document = runtime.actor(Ingestion, "doc-1")
            assert await document.result(str) == name, f"after frame {length} of {len(frames)}"
            assert (await document.query(Ingestion.progress)).label is Label.INVOICE


async def test_a_document_that_is_called_back_leaves_nothing() -> None:
    """Cancelled from outside while a person thinks, it is undone before it has ended."""
    async with Runtime(MemoryJournal(), entities=[Ingestion], strict=True) as runtime:
        document = await runtime.start(Ingestion("scribble"), "doc-1")
        await asks(document)
        await document.cancel()
        with pytest.raises(HandlerFailed, match="ended from outside"):
            await document.result(str)
