"""What an appointment type may say of itself, and which rules refuse each other."""

from datetime import date
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, text

from coursecove.appointments import service
from coursecove.appointments.errors import NotSeenByLink
from coursecove.appointments.schemas import (
    AppointmentTypeCreate,
    AppointmentTypeUpdate,
    LocationCreate,
    QuestionCreate,
)
from coursecove.errors import Invalid
from coursecove.events import Event
from tests.appointments.schools import NewSchool

pytestmark = pytest.mark.anyio


def lesson(**changes: Any) -> AppointmentTypeCreate:
    values = {"name": "Piano lesson", "duration_minutes": 45, "location_mode": "online", **changes}
    return msgspec.convert(values, AppointmentTypeCreate)


EVERYTHING: dict[str, Any] = {
    "kind": "private",
    "further_durations_minutes": [60, 30],
    "bookable_from": "2026-09-01",
    "bookable_until": "2027-01-31",
    "reschedule_notice_minutes": 600,
    "most_reschedules": None,
    "requires_approval": True,
    "approve_within_minutes": 60,
    "day_limit": 3,
    "week_limit": 10,
    "student_day_limit": 1,
    "student_week_limit": 2,
    "visibility": "members",
    "location_mode": "students_place",
}


async def test_every_rule_is_kept_as_it_was_given(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        made = await service.create_type(session, lesson(**EVERYTHING), by=harmony["Clara"])
        kept = msgspec.to_builtins(made)
    expected = {**EVERYTHING, "further_durations_minutes": [30, 60]}
    assert {name: kept[name] for name in EVERYTHING} == expected
    assert made.durations == (30, 45, 60)


async def test_a_change_of_every_rule_is_recorded_from_and_to(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        made = await service.create_type(session, lesson(), by=harmony["Clara"])
        changed = {name: value for name, value in EVERYTHING.items() if name != "kind"}
        after = await service.update_type(
            session, made.id, msgspec.convert(changed, AppointmentTypeUpdate), by=harmony["Clara"]
        )
        await session.flush()
        fact = await session.scalar(select(Event).where(Event.action == "appointment_type.changed"))
    assert fact is not None
    assert set(fact.data) == set(changed)
    for name in changed:
        assert fact.data[name] == {
            "from": msgspec.to_builtins(getattr(made, name)),
            "to": msgspec.to_builtins(getattr(after, name)),
        }


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"kind": "class"}, "capacity"),
        ({"kind": "class", "capacity": 1}, "capacity"),
        ({"kind": "private", "capacity": 8}, "capacity"),
        ({"kind": "class", "capacity": 8, "further_durations_minutes": [60]}, "further_durations_minutes"),
        ({"kind": "class", "capacity": 8, "start_interval_minutes": 15}, "start_interval_minutes"),
        ({"kind": "class", "capacity": 8, "location_mode": "students_place"}, "location_mode"),
        ({"further_durations_minutes": [45]}, "further_durations_minutes"),
        ({"further_durations_minutes": [60, 60]}, "further_durations_minutes"),
        ({"bookable_from": "2027-02-01", "bookable_until": "2027-01-31"}, "bookable_until"),
        ({"bookable_from": "0001-01-01"}, "bookable_from"),
        ({"bookable_until": "9999-12-31"}, "bookable_until"),
        ({"minimum_notice_minutes": 10 * 1440, "horizon_days": 5}, "minimum_notice_minutes"),
        ({"day_limit": 5, "week_limit": 4}, "week_limit"),
        ({"student_day_limit": 2, "student_week_limit": 1}, "student_week_limit"),
    ],
)
async def test_rules_that_make_no_sense_together_are_refused_at_their_field(
    harmony: NewSchool, rules: dict[str, Any], field: str
) -> None:
    async with harmony.open() as session:
        with pytest.raises(Invalid) as refusal:
            await service.create_type(session, lesson(**rules), by=harmony["Clara"])
        assert list(refusal.value.fields) == [field]
        # A change that leads to the same rules is refused in the same words.
        made = await service.create_type(session, lesson(), by=harmony["Clara"])
        wanted = {"capacity": 1, **rules} if rules.get("kind") == "class" else rules
        with pytest.raises(Invalid) as again:
            await service.update_type(
                session, made.id, msgspec.convert(wanted, AppointmentTypeUpdate), by=harmony["Clara"]
            )
        assert again.value.fields[field] == refusal.value.fields[field]
        assert await service.get_type(session, made.id) == made


async def test_rules_at_their_limits_are_accepted(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        for rules in (
            {"kind": "class", "capacity": 2},
            {"bookable_from": "2027-01-31", "bookable_until": "2027-01-31"},
            {"minimum_notice_minutes": 6 * 1440, "horizon_days": 5},
            {"day_limit": 5, "week_limit": 5, "student_day_limit": 1, "student_week_limit": 1},
        ):
            await service.create_type(session, lesson(**rules), by=harmony["Clara"])


async def test_a_class_made_a_private_lesson_loses_its_other_seats(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        made = await service.create_type(session, lesson(kind="class", capacity=8), by=harmony["Clara"])
        after = await service.update_type(
            session, made.id, AppointmentTypeUpdate(kind="private"), by=harmony["Clara"]
        )
    assert (after.kind, after.capacity) == ("private", 1)


async def test_notices_that_are_left_out_are_the_schools(harmony: NewSchool) -> None:
    async with harmony.database.platform_scope() as session:
        await session.execute(
            text(
                "update organizations set default_minimum_notice_minutes = 30, "
                "default_cancellation_notice_minutes = 60, default_reschedule_notice_minutes = 90 "
                "where id = :id"
            ),
            {"id": harmony.organization_id},
        )
    async with harmony.open() as session:
        made = await service.create_type(session, lesson(), by=harmony["Clara"])
        said = await service.create_type(session, lesson(cancellation_notice_minutes=0), by=harmony["Clara"])
    assert (made.minimum_notice_minutes, made.cancellation_notice_minutes) == (30, 60)
    assert made.reschedule_notice_minutes == 90
    assert said.cancellation_notice_minutes == 0


async def test_a_link_is_made_by_us_sleeps_while_the_type_is_public_and_can_be_renewed(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        public = await service.create_type(session, lesson(), by=harmony["Clara"])
        assert public.link_key is None
        with pytest.raises(NotSeenByLink):
            await service.renew_link(session, public.id, by=harmony["Clara"])
        made = await service.update_type(
            session, public.id, AppointmentTypeUpdate(visibility="link"), by=harmony["Clara"]
        )
        other = await service.create_type(session, lesson(visibility="link"), by=harmony["Clara"])
        assert made.link_key
        assert other.link_key
        assert made.link_key != other.link_key
        assert len(made.link_key) >= 22
        hidden = await service.update_type(
            session, public.id, AppointmentTypeUpdate(visibility="public"), by=harmony["Clara"]
        )
        assert hidden.link_key is None
        again = await service.update_type(
            session, public.id, AppointmentTypeUpdate(visibility="link"), by=harmony["Clara"]
        )
        assert again.link_key == made.link_key
        renewed = await service.renew_link(session, public.id, by=harmony["Clara"])
        assert renewed.link_key not in (None, made.link_key)
        await session.flush()
        facts = (await session.scalars(select(Event))).all()
    assert "appointment_type.link_renewed" in {fact.action for fact in facts}
    # What is recorded is for more eyes than the link is.
    keys = {made.link_key, other.link_key, renewed.link_key}
    assert not [fact for fact in facts if any(key in str(fact.data) for key in keys if key)]


async def test_a_duplicate_is_a_draft_with_the_same_rules_places_people_and_questions(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        studio = await service.create_location(session, LocationCreate("Studio"), by=harmony["Clara"])
        made = await service.create_type(
            session,
            lesson(
                **{**EVERYTHING, "visibility": "link", "location_mode": "in_person"},
                location_ids=[str(studio.id)],
                instructor_ids=[str(harmony["Ida"].id), str(harmony["Tomás"].id)],
            ),
            by=harmony["Clara"],
        )
        await service.set_qualification_expiry(
            session, harmony["Ida"].id, made.id, date(2027, 6, 30), by=harmony["Clara"]
        )
        await service.add_question(
            session, made.id, QuestionCreate("choice", "Level?", options=["A", "B"]), by=harmony["Clara"]
        )
        gone = await service.add_question(
            session, made.id, QuestionCreate("short_text", "Shoe size?"), by=harmony["Clara"]
        )
        await service.archive_question(session, gone.id, by=harmony["Clara"])
        copy = await service.duplicate_type(session, made.id, by=harmony["Clara"])
        original = await service.get_type(session, made.id)
        everything = await service.list_types(session, include_unpublished=True)
    assert (copy.name, copy.slug) == ("Copy of Piano lesson", "copy-of-piano-lesson")
    assert copy.published_at is None
    assert copy.archived_at is None
    assert copy.link_key
    assert copy.link_key != original.link_key
    assert [type_.id for type_ in everything] == [made.id, copy.id]
    own = {"id", "slug", "name", "published_at", "link_key", "questions"}
    for name in original.__struct_fields__:
        if name not in own:
            assert getattr(copy, name) == getattr(original, name), name
    assert copy.qualified_until == {harmony["Ida"].id: date(2027, 6, 30)}
    assert [(q.label, q.options) for q in copy.questions] == [("Level?", ["A", "B"])]
    assert copy.questions[0].id != original.questions[0].id


async def test_the_copy_of_a_long_name_is_cut_to_what_a_name_may_have(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        made = await service.create_type(session, lesson(name="x" * 120), by=harmony["Clara"])
        copy = await service.duplicate_type(session, made.id, by=harmony["Clara"])
    assert copy.name.startswith("Copy of xxx")
    assert len(copy.name) == 120


async def test_types_are_put_in_order_within_the_places_they_have(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        ids = {
            name: (
                await service.create_type(
                    session, lesson(name=name, published=name != "Draft"), by=harmony["Clara"]
                )
            ).id
            for name in ("A", "Draft", "B", "C")
        }

        async def order(*names: str) -> list[str]:
            found = await service.reorder_types(session, [ids[name] for name in names], by=harmony["Clara"])
            return [type_.name for type_ in found]

        # What is moved among the published ones leaves the draft where it is.
        assert await order("C", "A", "B") == ["C", "Draft", "A", "B"]
        assert await order("B", "A") == ["C", "Draft", "B", "A"]
        assert await order() == ["C", "Draft", "B", "A"]
        assert [type_.name for type_ in await service.list_types(session)] == ["C", "B", "A"]
        for wrong in (["A", "A"], ["A"]):
            with pytest.raises(Invalid) as refusal:
                await service.reorder_types(
                    session,
                    [ids[name] for name in wrong] + ([harmony["Ida"].id] if len(wrong) == 1 else []),
                    by=harmony["Clara"],
                )
            assert list(refusal.value.fields) == ["appointment_type_ids"]
        await session.flush()
        facts = await session.scalars(select(Event).where(Event.action == "appointment_type.reordered"))
        assert len(facts.all()) == 2
