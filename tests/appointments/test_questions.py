"""Intake questions and their answers."""

import uuid
from typing import Any

import pytest

from coursecove.appointments import service
from coursecove.appointments.schemas import (
    AppointmentTypeCreate,
    QuestionCreate,
    QuestionUpdate,
    QuestionView,
)
from coursecove.errors import Invalid, NotFound
from tests.appointments.schools import NewSchool
from tests.counting import statements

pytestmark = pytest.mark.anyio

PIANO = AppointmentTypeCreate(name="Piano", duration_minutes=45, location_mode="online")


async def test_questions_are_asked_in_their_order_and_stand_in_the_type(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        type_ = await service.create_type(session, PIANO, by=harmony["Clara"])
        made = [
            await service.add_question(session, type_.id, data, by=harmony["Clara"])
            for data in (
                QuestionCreate("short_text", " Which  piece? ", hint="Title"),
                QuestionCreate("choice", "Level?", options=["Beginner", " Advanced "], required=True),
                QuestionCreate("yes_no", "Your own piano?"),
            )
        ]
        assert [q.label for q in made] == ["Which piece?", "Level?", "Your own piano?"]
        assert made[1].options == ["Beginner", "Advanced"]
        assert (await service.get_type(session, type_.id)).questions == made
        order = [made[2].id, made[0].id, made[1].id]
        await service.reorder_questions(session, type_.id, order, by=harmony["Clara"])
        assert [q.id for q in (await service.get_type(session, type_.id)).questions] == order
        with pytest.raises(Invalid) as refusal:
            await service.reorder_questions(session, type_.id, [uuid.uuid4()], by=harmony["Clara"])
        assert list(refusal.value.fields) == ["question_ids"]


async def test_an_archived_question_is_asked_no_longer_and_comes_back_where_it_stood(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        type_ = await service.create_type(session, PIANO, by=harmony["Clara"])
        first, second = [
            await service.add_question(
                session, type_.id, QuestionCreate("short_text", label), by=harmony["Clara"]
            )
            for label in ("First?", "Second?")
        ]
        await service.archive_question(session, first.id, by=harmony["Clara"])
        assert [q.id for q in (await service.get_type(session, type_.id)).questions] == [second.id]
        everything = await service.list_questions(session, type_.id, include_archived=True)
        assert [q.id for q in everything] == [first.id, second.id]
        await service.restore_question(session, first.id, by=harmony["Clara"])
        assert [q.id for q in await service.list_questions(session, type_.id)] == [first.id, second.id]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (QuestionCreate("choice", "Level?"), "options"),
        (QuestionCreate("choice", "Level?", options=["One"]), "options"),
        (QuestionCreate("choice", "Level?", options=["One", "One"]), "options"),
        (QuestionCreate("short_text", "Level?", options=["One", "Two"]), "options"),
        (QuestionCreate("choice", "Level?", options=["One", "x" * 121]), "options"),
        (QuestionCreate("choice", "Level?", options=["One", "T\x00wo"]), "options"),
        (QuestionCreate("short_text", " "), "label"),
        (QuestionCreate("short_text", "x" * 201), "label"),
        (QuestionCreate("short_text", "Fine?", hint="x" * 301), "hint"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_refused_at_its_field(
    harmony: NewSchool, data: QuestionCreate, field: str
) -> None:
    async with harmony.open() as session:
        type_ = await service.create_type(session, PIANO, by=harmony["Clara"])
        with pytest.raises(Invalid) as refusal:
            await service.add_question(session, type_.id, data, by=harmony["Clara"])
        assert list(refusal.value.fields) == [field]
        assert await service.list_questions(session, type_.id) == []


async def test_a_choice_made_a_text_loses_its_options_and_a_text_made_a_choice_needs_some(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        type_ = await service.create_type(session, PIANO, by=harmony["Clara"])
        made = await service.add_question(
            session, type_.id, QuestionCreate("choice", "Level?", options=["A", "B"]), by=harmony["Clara"]
        )
        after = await service.change_question(
            session, made.id, QuestionUpdate(kind="long_text"), by=harmony["Clara"]
        )
        assert (after.kind, after.options) == ("long_text", [])
        with pytest.raises(Invalid) as refusal:
            await service.change_question(session, made.id, QuestionUpdate(kind="choice"), by=harmony["Clara"])
        assert list(refusal.value.fields) == ["options"]


async def test_another_schools_question_is_not_found(harmony: NewSchool, stillwater: NewSchool) -> None:
    async with stillwater.open() as session:
        type_ = await service.create_type(session, PIANO, by=stillwater["Noor"])
        foreign = await service.add_question(
            session, type_.id, QuestionCreate("short_text", "Why?"), by=stillwater["Noor"]
        )
    async with harmony.open() as session:
        for attempt in (
            service.get_question(session, foreign.id),
            service.archive_question(session, foreign.id, by=harmony["Clara"]),
            service.restore_question(session, foreign.id, by=harmony["Clara"]),
            service.change_question(session, foreign.id, QuestionUpdate(label="Mine"), by=harmony["Clara"]),
            service.add_question(session, type_.id, QuestionCreate("short_text", "X"), by=harmony["Clara"]),
            service.reorder_questions(session, type_.id, [foreign.id], by=harmony["Clara"]),
        ):
            with pytest.raises(NotFound):
                await attempt
    async with stillwater.open() as session:
        assert await service.get_question(session, foreign.id) == foreign


async def test_thirty_questions_are_read_as_fast_as_none(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        type_ = await service.create_type(session, PIANO, by=harmony["Clara"])

    async def reads() -> int:
        with statements() as sent:
            async with harmony.open() as session:
                await service.list_types(session)
        return len(sent)

    without = await reads()
    async with harmony.open() as session:
        for number in range(30):
            await service.add_question(
                session, type_.id, QuestionCreate("short_text", f"Number {number}?"), by=harmony["Clara"]
            )
        with pytest.raises(Invalid):
            await service.add_question(
                session, type_.id, QuestionCreate("short_text", "One more?"), by=harmony["Clara"]
            )
    assert await reads() == without


def question(kind: Any, *, required: bool = False, options: tuple[str, ...] = ()) -> QuestionView:
    return QuestionView(uuid.uuid4(), uuid.uuid4(), kind, f"A {kind}?", "", list(options), required)


def test_answers_are_kept_with_their_questions_in_the_order_asked() -> None:
    text, essay, level, own = (
        question("short_text", required=True),
        question("long_text"),
        question("choice", options=("A", "B")),
        question("yes_no", required=True),
    )
    found = service.check_answers(
        [text, essay, level, own],
        {own.id: "no", text.id: " Für  Elise ", essay.id: "One\r\n\r\ntwo ", level.id: ""},
    )
    assert [(a.question_id, a.label, a.answer) for a in found] == [
        (text.id, "A short_text?", "Für Elise"),
        (essay.id, "A long_text?", "One\n\ntwo"),
        (own.id, "A yes_no?", "no"),
    ]


def test_every_wrong_answer_is_told_at_its_question() -> None:
    needed, level, own, long, rude = (
        question("short_text", required=True),
        question("choice", options=("A", "B")),
        question("yes_no"),
        question("short_text"),
        question("long_text"),
    )
    unknown = uuid.uuid4()
    answers = {level.id: "C", own.id: "on", long.id: "x" * 201, rude.id: "a\x00b", unknown: "?"}
    with pytest.raises(Invalid) as refusal:
        service.check_answers([needed, level, own, long, rude], answers)
    ids = (needed.id, level.id, own.id, long.id, rude.id, unknown)
    assert set(refusal.value.fields) == {service.answer_field(id_) for id_ in ids}


def test_staff_may_leave_a_needed_answer_open_but_answer_nothing_wrong() -> None:
    needed = question("choice", required=True, options=("A", "B"))
    assert service.check_answers([needed], {}, complete=False) == []
    with pytest.raises(Invalid):
        service.check_answers([needed], {needed.id: "C"}, complete=False)
