"""Families: a guardian books and manages for several children, and nobody else does."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.bookings import service
from coursecove.bookings.errors import LessonsAhead, StudentBusy
from coursecove.bookings.schemas import BookingCreate, BookingView, NoteCreate
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.tenants import service as tenants
from coursecove.tenants.family import MOST_CHILDREN, ChildCreate, ChildUpdate, ChildView, TooManyChildren
from coursecove.tenants.models import Member
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin
from tests.conftest import ClientFor

FIDDLE = "Fiddle"


@pytest.fixture(scope="module", autouse=True)
def _lessons(harmony: Desk) -> None:
    harmony.add_type(FIDDLE, [IDA, TOMAS])


@pytest.fixture(scope="module")
def nele(harmony: Desk) -> ChildView:
    """Mia's daughter."""
    return add_child(harmony, MIA, "Nele")


@pytest.fixture(scope="module")
def jonas(harmony: Desk) -> ChildView:
    """Mia's son."""
    return add_child(harmony, MIA, "Jonas", birth_year=2018)


def add_child(desk: Desk, email: str, name: str, **options: object) -> ChildView:
    data = ChildCreate(given_name=name, **options)  # type: ignore[arg-type]
    return desk.own(email, lambda session, by: tenants.add_child(session, data, by=by))


def book_for(desk: Desk, email: str, child: ChildView, day: int, hour: int, **options: object) -> BookingView:
    data = BookingCreate(
        appointment_type_id=desk.school.types[FIDDLE],
        starts_at=berlin(day, hour),
        instructor_id=desk.school.members[IDA],
        student_id=child.id,
        **options,  # type: ignore[arg-type]
    )
    return desk.own(email, lambda session, by: service.book(session, data, by=by))


def test_a_guardian_adds_changes_and_lists_children(desk: Desk, nele: ChildView, jonas: ChildView) -> None:
    mine = desk.own(MIA, lambda session, by: tenants.list_children(session, guardian=by))
    assert [(child.given_name, child.birth_year) for child in mine] == [("Jonas", 2018), ("Nele", None)]
    # Without a family name they have the guardian's.
    [(family_name,)] = desk.rows("select family_name from members where id = :id", id=desk.school.members[MIA])
    assert {child.family_name for child in mine} == {family_name}
    changed = desk.own(
        MIA,
        lambda session, by: tenants.change_child(
            session, nele.id, ChildUpdate(given_name="  Nele  Marie ", birth_year=2016), by=by
        ),
    )
    assert (changed.given_name, changed.birth_year) == ("Nele Marie", 2016)
    with pytest.raises(Invalid) as refused:
        add_child(desk, MIA, "  ", birth_year=1901)
    assert set(refused.value.fields) == {"given_name", "birth_year"}


def test_a_guardian_books_moves_and_cancels_for_a_child(desk: Desk, nele: ChildView) -> None:
    booked = book_for(desk, MIA, nele, 4, 10)
    assert (booked.student.id, booked.is_own, booked.can_cancel, booked.can_move) == (nele.id, True, True, True)
    assert desk.rows("select booked_by_id from bookings where id = :id", id=booked.id) == [
        (desk.school.members[MIA],)
    ]
    [fact] = desk.facts(booked.id, "booking.confirmed")
    assert fact["student_id"] == str(nele.id)
    moved = desk.move(MIA, booked, berlin(4, 11))
    assert (moved.student.id, moved.revision) == (nele.id, 1)
    listed = desk.own(MIA, lambda session, by: service.list_bookings(session, viewer=by, student_id=nele.id))
    assert [booking.id for booking in listed.items] == [booked.id]
    assert desk.cancel(MIA, moved).status == "cancelled"


def test_children_are_bound_by_the_rules_for_students(desk: Desk, nele: ChildView) -> None:
    """Who books for a child is not staff: no rule is passed, and no room is chosen."""
    with pytest.raises(Forbidden):
        book_for(desk, MIA, nele, 5, 10, override_rules=True)
    booked = book_for(desk, MIA, nele, 5, 10)
    assert not booked.overridden_rules


def test_conflicts_are_per_child(desk: Desk, nele: ChildView, jonas: ChildView) -> None:
    first = book_for(desk, MIA, nele, 6, 14)
    second = desk.own(
        MIA,
        lambda session, by: service.book(
            session,
            BookingCreate(
                appointment_type_id=desk.school.types[FIDDLE],
                starts_at=berlin(6, 14),
                instructor_id=desk.school.members[TOMAS],
                student_id=jonas.id,
            ),
            by=by,
        ),
    )
    assert first.starts_at == second.starts_at
    with pytest.raises(StudentBusy):
        desk.own(
            MIA,
            lambda session, by: service.book(
                session,
                BookingCreate(
                    appointment_type_id=desk.school.types[FIDDLE],
                    starts_at=berlin(6, 14, 15),
                    student_id=nele.id,
                ),
                by=by,
            ),
        )


def test_another_guardian_reaches_nothing_of_a_child(desk: Desk, nele: ChildView) -> None:
    """Leo tries every way in; each answers as for somebody who does not exist."""
    booked = book_for(desk, MIA, nele, 10, 10)
    for child_id in (nele.id, uuid.uuid4()):
        for attack in (_read, _change, service.remove_child):
            with pytest.raises(NotFound):
                desk.own(LEO, partial(_try, attack, child_id))
        with pytest.raises(Forbidden):
            desk.own(LEO, partial(_try, _book, child_id))
    with pytest.raises(NotFound):
        desk.get(LEO, booked.id)
    with pytest.raises(NotFound):
        desk.cancel(LEO, booked)
    with pytest.raises(NotFound):
        desk.move(LEO, booked, berlin(10, 15))
    theirs = desk.own(LEO, lambda session, by: service.list_bookings(session, viewer=by, student_id=nele.id))
    assert theirs.total == 0


async def _try(attack: Any, child_id: uuid.UUID, session: AsyncSession, by: Member) -> Any:
    return await attack(session, child_id, by=by)


async def _read(session: AsyncSession, child_id: uuid.UUID, *, by: Member) -> ChildView:
    return await tenants.get_child(session, child_id, guardian=by)


async def _change(session: AsyncSession, child_id: uuid.UUID, *, by: Member) -> ChildView:
    return await tenants.change_child(session, child_id, ChildUpdate(given_name="Mine"), by=by)


async def _book(session: AsyncSession, child_id: uuid.UUID, *, by: Member) -> BookingView:
    types = await appointments.list_types(session)
    fiddle = next(type_ for type_ in types if type_.name == FIDDLE)
    wanted = BookingCreate(appointment_type_id=fiddle.id, starts_at=berlin(10, 14), student_id=child_id)
    return await service.book(session, wanted, by=by)


def test_an_admin_is_no_guardian_of_everybodys_children(desk: Desk, nele: ChildView) -> None:
    with pytest.raises(NotFound):
        desk.own(CLARA, lambda session, by: tenants.get_child(session, nele.id, guardian=by))
    # As staff she books for any student, children too.
    assert book_for(desk, CLARA, nele, 11, 10).student.id == nele.id


def test_a_guardian_reads_what_is_shared_about_a_child_and_nothing_else(desk: Desk, nele: ChildView) -> None:
    booked = book_for(desk, MIA, nele, 12, 10)
    told, kept = NoteCreate(body="Practise the scales.", shared=True), NoteCreate(body="Seems tired.")
    desk.own(IDA, lambda session, by: service.add_note(session, booked.id, told, by=by))
    desk.own(IDA, lambda session, by: service.add_note(session, booked.id, kept, by=by))
    assert [note.body for note in desk.get(MIA, booked.id).notes] == ["Practise the scales."]


def test_a_child_with_lessons_ahead_is_not_taken_out(desk: Desk) -> None:
    emil = add_child(desk, MIA, "Emil")
    booked = book_for(desk, MIA, emil, 13, 10)
    with pytest.raises(LessonsAhead):
        desk.own(MIA, lambda session, by: service.remove_child(session, emil.id, by=by))
    desk.cancel(MIA, booked)
    desk.own(MIA, lambda session, by: service.remove_child(session, emil.id, by=by))
    with pytest.raises(NotFound):
        desk.own(MIA, lambda session, by: tenants.get_child(session, emil.id, guardian=by))
    with pytest.raises(Forbidden):
        book_for(desk, MIA, emil, 13, 10)
    # What was booked for it stays on record.
    assert desk.get(MIA, booked.id).student.name.startswith("Emil")


def test_a_family_has_its_limits(desk: Desk) -> None:
    for number in range(MOST_CHILDREN):
        add_child(desk, LEO, f"Child {number}")
    with pytest.raises(TooManyChildren):
        add_child(desk, LEO, "One more")


def test_the_api_speaks_of_ones_own_children(client: ClientFor) -> None:
    mia, leo = client("musicschool", MIA), client("musicschool", LEO)
    added = mia.post("/api/v1/me/children", json={"given_name": "Ada"}, headers={"Idempotency-Key": "ada"})
    assert added.status_code == 201, added.text
    again = mia.post("/api/v1/me/children", json={"given_name": "Ada"}, headers={"Idempotency-Key": "ada"})
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (added.json(), "true")
    address = f"/api/v1/me/children/{added.json()['id']}"

    def ways_in(person: httpx.Client) -> list[int]:
        return [
            person.get(address).status_code,
            person.patch(address, json={"birth_year": 2015}).status_code,
            person.get(
                "/api/v1/availability",
                params={
                    "appointment_type_id": mia.get("/api/v1/appointment-types").json()["items"][0]["id"],
                    "student_id": added.json()["id"],
                },
            ).status_code,
        ]

    assert ways_in(leo) == [404, 404, 403]
    assert leo.delete(address).status_code == 404
    assert ways_in(mia) == [200, 200, 200]
    assert "Ada" not in leo.get("/api/v1/me/children").text
    refused = mia.patch(address, json={"role": "admin"})
    assert refused.status_code == 400
    assert mia.delete(address).status_code == 204
    assert mia.get(address).status_code == 404
