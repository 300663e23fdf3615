"""From an empty school to the first booked lesson: what is done, and what is next."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.i18n import _
from coursecove.tenants.handles import handle_of
from coursecove.tenants.schemas import InstructorView, OrganizationView


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do; ``href`` is where it is done, or where there is more of it to do."""

    title: str
    text: str
    label: str
    href: str
    done: bool
    # A school can do without it.
    optional: bool = False
    # There may be more of it to do once it is done.
    goes_on: bool = False


def first_tasks(
    organization: OrganizationView,
    locations: Sequence[LocationView],
    types: Sequence[AppointmentTypeView],
    instructors: Sequence[InstructorView],
    with_hours: Collection[uuid.UUID],
    *,
    any_closures: bool,
    any_bookings: bool,
) -> list[Task]:
    """Return the tasks in the order they are best done.

    ``types`` are those not archived, drafts included; ``with_hours`` the
    instructors who have weekly hours.
    """
    published = [type_ for type_ in types if type_.published_at]
    where = bool(locations) or any(type_.location_mode != "in_person" for type_ in published)
    return [
        Task(
            _("Say where your school is"),
            _("Its time zone and its currency; the name and the colour, too, if you like."),
            _("Open the settings"),
            "/admin/school",
            # What a school is founded with; no place on earth keeps it as its own.
            done=organization.time_zone != "UTC",
        ),
        Task(
            _("Add a location"),
            _("The place your students come to. Lessons online need none."),
            _("Add another location") if locations else _("Add a location"),
            "/admin/locations/new",
            done=where,
            goes_on=True,
        ),
        # Before the type, so that there is somebody to choose in it.
        _teacher_task(published or types, instructors),
        _type_task(types, published),
        _hours_task(published or types, instructors, with_hours),
        Task(
            _("Say when you are closed"),
            _("Holidays and other days on which nobody teaches. Nothing can be booked then."),
            _("Add another closure") if any_closures else _("Add a closure"),
            "/admin/closures/new",
            done=any_closures,
            optional=True,
            goes_on=True,
        ),
        Task(
            _("Get the first booking"),
            _("Share your school’s address, or book a lesson for a student yourself."),
            _("Book for a student"),
            "/admin/bookings/new",
            done=any_bookings,
        ),
    ]


def _type_task(types: Sequence[AppointmentTypeView], published: Sequence[AppointmentTypeView]) -> Task:
    drafts_only = bool(types) and not published
    label = _("Create an appointment type")
    if drafts_only:
        label = _("Publish a draft")
    elif published:
        label = _("Create another type")
    return Task(
        _("Publish an appointment type"),
        _("What can be booked: how long it takes, where, and what it costs."),
        label,
        f"/admin/types/{types[0].slug}" if drafts_only else "/admin/types/new",
        done=bool(published),
        goes_on=True,
    )


def _teacher_task(offered: Sequence[AppointmentTypeView], instructors: Sequence[InstructorView]) -> Task:
    taught = any(type_.instructor_ids for type_ in offered)
    label, href = _("Invite an instructor"), "/admin/people/invite?role=instructor"
    if taught or (instructors and not offered):
        label = _("Invite another instructor")
    elif instructors:
        label, href = _("Choose who teaches"), f"/admin/types/{offered[0].slug}#f-instructor_ids"
    return Task(
        _("Say who teaches"),
        _("Invite your instructors and choose what each of them teaches. It can be you.")
        if instructors or offered
        else _("Invite your instructors. If it is you who teaches, choose yourself in the appointment type."),
        label,
        href,
        # Before there is anything to teach it is enough that somebody is there.
        done=taught or bool(instructors and not offered),
        goes_on=True,
    )


def _hours_task(
    offered: Sequence[AppointmentTypeView],
    instructors: Sequence[InstructorView],
    with_hours: Collection[uuid.UUID],
) -> Task:
    # Whoever teaches a type that is published counts; without any, one that is about to be.
    teaching = [i for i in instructors if any(i.id in type_.instructor_ids for type_ in offered)] or (
        [] if offered else list(instructors)
    )
    waiting = next((i for i in teaching if i.id not in with_hours), None)
    label, href = _("See who teaches"), "/admin/people?role=instructor"
    if waiting:
        label = _("Set the hours of {name}").format(name=waiting.name)
        href = f"/admin/people/{handle_of(waiting.id, waiting.name)}/hours"
    return Task(
        _("Set weekly hours"),
        _("Free times come from the hours of whoever teaches."),
        label,
        href,
        done=any(instructor.id in with_hours for instructor in teaching),
        goes_on=waiting is not None,
    )
