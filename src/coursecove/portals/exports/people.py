"""People, and what those who teach may teach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.formatting import listed, local
from coursecove.i18n import N_
from coursecove.portals.admin.people import PeopleFilters, role_badge
from coursecove.portals.exports.kinds import Asking, Export, Row, day_of, yes_no
from coursecove.tenants import invitations
from coursecove.tenants import service as tenants
from coursecove.tenants.languages import language_name
from coursecove.tenants.schemas import InstructorView, MemberView, Role
from coursecove.text import is_storable

_PAGE = 200


async def people(asking: Asking) -> AsyncIterator[Row]:
    """Yield everybody whom the list of people shows, page after page."""
    filters = PeopleFilters.of(asking.query)
    if filters.status == "invited" and not asking.everything:
        async for row in _invited(asking):
            yield row
        return
    if not is_storable(filters.search):
        return
    zone = asking.organization.time_zone
    profiles = {one.id: one for one in await tenants.list_instructors(asking.session, include_deactivated=True)}
    number = 1
    while True:
        found = await tenants.list_members(
            asking.session,
            role=cast("Role", filters.role) or None,
            search=filters.search,
            status=None if asking.everything else cast("tenants.MemberStatus", filters.status),
            order=filters.order,
            page=number,
            page_size=_PAGE,
        )
        for member in found.items:
            yield _row(member, profiles.get(member.id), zone)
        if number * _PAGE >= found.total:
            return
        number += 1


def _row(member: MemberView, profile: InstructorView | None, zone: str) -> Row:
    return (
        member.email or "",
        role_badge(member.role)["label"],
        member.given_name,
        member.family_name,
        day_of(member.joined_at, zone),
        day_of(member.deactivated_at, zone),
        profile.bio if profile else "",
        listed([language_name(code) for code in profile.languages]) if profile else "",
        profile.time_zone if profile else "",
        profile.meeting_url or "" if profile else "",
        profile.day_limit if profile else None,
        profile.week_limit if profile else None,
    )


async def _invited(asking: Asking) -> AsyncIterator[Row]:
    number = 1
    while True:
        found = await invitations.list_invitations(
            asking.resources, asking.organization, page=number, page_size=_PAGE
        )
        for one in found.items:
            yield (one.email, role_badge(one.role)["label"], *[""] * 10)
        if number * _PAGE >= found.total:
            return
        number += 1


async def families(asking: Asking) -> AsyncIterator[Row]:
    """Yield every child with its guardian, also those who have left."""
    zone, number = asking.organization.time_zone, 1
    while found := await tenants.list_families(asking.session, page=number, page_size=_PAGE):
        for one in found:
            yield (
                one.guardian_name,
                one.guardian_email or "",
                one.child.given_name,
                one.child.family_name,
                one.child.birth_year,
                day_of(one.since, zone),
                day_of(one.left_at, zone),
            )
        number += 1


async def qualifications(asking: Asking) -> AsyncIterator[Row]:
    """Yield who may teach what, and until when; instructor by instructor."""
    today = local(clock.now(), asking.organization.time_zone).date()
    types = await appointments.list_types(asking.session, include_unpublished=True)
    teachers = await tenants.list_instructors(asking.session, include_deactivated=True)
    for teacher in teachers:
        for type_ in types:
            if teacher.id not in type_.instructor_ids:
                continue
            until = type_.qualified_until.get(teacher.id)
            yield (
                teacher.name,
                type_.name,
                until.isoformat() if until else "",
                yes_no(until is not None and until < today),
            )


PEOPLE = Export(
    "people",
    N_("People"),
    (
        N_("E-mail"),
        N_("Role"),
        N_("First name"),
        N_("Last name"),
        N_("Here since"),
        N_("Deactivated"),
        N_("About"),
        N_("Languages"),
        N_("Time zone"),
        N_("Meeting link"),
        N_("Most lessons a day"),
        N_("Most lessons a week"),
    ),
    people,
)
FAMILIES = Export(
    "families",
    N_("Families"),
    (
        N_("Guardian"),
        N_("Guardian’s e-mail"),
        N_("First name"),
        N_("Last name"),
        N_("Year of birth"),
        N_("Here since"),
        N_("Left"),
    ),
    families,
)
QUALIFICATIONS = Export(
    "qualifications",
    N_("Qualifications"),
    (N_("Instructor"), N_("Appointment type"), N_("Last day"), N_("Lapsed")),
    qualifications,
)
