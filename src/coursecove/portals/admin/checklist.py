"""From an empty school to the first booked lesson: what is done, and what is next."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.tenants.handles import handle_of
from coursecove.tenants.schemas import InstructorView, OrganizationView


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do; ``href`` is where it is done."""

    title: str
    text: str
    label: str
    href: str
    done: bool


def first_tasks(
    organization: OrganizationView,
    locations: Sequence[LocationView],
    types: Sequence[AppointmentTypeView],
    instructors: Sequence[InstructorView],
    with_hours: Collection[uuid.UUID],
    *,
    any_bookings: bool,
) -> list[Task]:
    """Return the tasks in the order they are best done.

    ``types`` are those not archived, drafts included; ``with_hours`` the
    instructors who have weekly hours.
    """
    published = [type_ for type_ in types if type_.published_at]
    # Whoever teaches one that is published counts; without any, one that is about to be.
    candidates = [type_ for type_ in published or types if type_.instructor_ids]
    teaching = [i for i in instructors if any(i.id in type_.instructor_ids for type_ in candidates)]
    waiting = next((i for i in teaching if i.id not in with_hours), None)
    return [
        Task(
            "Say where your school is",
            "Its time zone and its currency; the name and the colour, too, if you like.",
            "Open the settings",
            "/admin/school",
            # What a school is founded with; no place on earth keeps it as its own.
            done=organization.time_zone != "UTC",
        ),
        Task(
            "Add a location",
            "The place your students come to. Lessons online need none.",
            "Add a location",
            "/admin/locations/new",
            done=bool(locations) or any(type_.location_mode == "online" for type_ in published),
        ),
        _type_task(types, published),
        _teacher_task(published or types, instructors),
        Task(
            "Set weekly hours",
            "Free times come from the hours of whoever teaches.",
            f"Set the hours of {waiting.name}" if waiting else "Choose an instructor",
            f"/admin/people/{handle_of(waiting.id, waiting.name)}/hours"
            if waiting
            else "/admin/people?role=instructor",
            done=any(instructor.id in with_hours for instructor in teaching),
        ),
        Task(
            "Get the first booking",
            "Share your school’s address, or book a lesson for a student yourself.",
            "Book for a student",
            "/admin/bookings/new",
            done=any_bookings,
        ),
    ]


def _type_task(types: Sequence[AppointmentTypeView], published: Sequence[AppointmentTypeView]) -> Task:
    drafts_only = bool(types) and not published
    return Task(
        "Publish an appointment type",
        "What can be booked: how long it takes, where, and what it costs.",
        "Publish a draft" if drafts_only else "Create an appointment type",
        f"/admin/types/{types[0].slug}" if drafts_only else "/admin/types/new",
        done=bool(published),
    )


def _teacher_task(offered: Sequence[AppointmentTypeView], instructors: Sequence[InstructorView]) -> Task:
    if not instructors:
        label, href = "Invite an instructor", "/admin/people/invite?role=instructor"
    elif offered:
        label, href = "Choose who teaches", f"/admin/types/{offered[0].slug}#f-instructor_ids"
    else:
        label, href = "See your instructors", "/admin/people?role=instructor"
    return Task(
        "Say who teaches it",
        "Invite your instructors and choose what each of them teaches. It can be you.",
        label,
        href,
        done=any(type_.instructor_ids for type_ in offered),
    )
