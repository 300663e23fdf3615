"""What a school offers and where: types, questions, locations, rooms, opening hours, closures, travel zones."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.appointments.shelves import Shelf
from coursecove.formatting import clock_minutes, weekday
from coursecove.i18n import N_, _
from coursecove.lists.imports.types import COLUMNS as TYPE_COLUMNS
from coursecove.portals.admin.locations import listed_places
from coursecove.portals.admin.type_filters import TypeFilters
from coursecove.portals.admin.type_form import choices_of
from coursecove.portals.exports.kinds import Asking, Export, Row, amount, day_of, in_hours, yes_no
from coursecove.scheduling import service as scheduling
from coursecove.tenants import service as tenants

_PAGE = 200
SHELVES: tuple[Shelf, ...] = ("published", "drafts", "archived")
_KINDS = {"private": N_("Private lesson"), "class": N_("Class")}
_MODES = {
    "in_person": N_("In person"),
    "online": N_("Online"),
    "students_place": N_("At the student’s place"),
}
_SEEN_BY = {"public": N_("Everybody"), "members": N_("Members"), "link": N_("Whoever has the link")}
_QUESTIONS = {
    "short_text": N_("Short text"),
    "long_text": N_("Long text"),
    "choice": N_("Choice"),
    "yes_no": N_("Yes or no"),
}


async def types(asking: Asking) -> AsyncIterator[Row]:
    """Yield the types that their list shows; the first columns are those that can be imported again."""
    places = {
        place.id: place.name
        for place in await appointments.list_locations(asking.session, include_archived=True)
    }
    teachers = {one.id: one.name for one in await tenants.list_instructors(asking.session)}
    zone = asking.organization.time_zone
    async for type_ in _types(asking):
        yield (
            type_.name,
            type_.description,
            type_.duration_minutes,
            amount(type_.price_cents, type_.currency),
            _(_KINDS[type_.kind]),
            type_.capacity if type_.kind == "class" else "",
            _(_MODES[type_.location_mode]),
            ", ".join(places[id_] for id_ in type_.location_ids if id_ in places),
            ", ".join(teachers[id_] for id_ in type_.instructor_ids if id_ in teachers),
            type_.buffer_before_minutes,
            type_.buffer_after_minutes,
            in_hours(type_.minimum_notice_minutes),
            in_hours(type_.cancellation_notice_minutes),
            yes_no(type_.published_at),
            type_.currency,
            ", ".join(str(minutes) for minutes in type_.further_durations_minutes),
            type_.start_interval_minutes,
            type_.horizon_days,
            type_.bookable_from or "",
            type_.bookable_until or "",
            in_hours(type_.reschedule_notice_minutes),
            type_.most_reschedules,
            yes_no(type_.requires_approval),
            _(_SEEN_BY[type_.visibility]),
            type_.day_limit,
            type_.week_limit,
            type_.student_day_limit,
            type_.student_week_limit,
            type_.color,
            day_of(type_.archived_at, zone),
        )


async def _types(asking: Asking) -> AsyncIterator[AppointmentTypeView]:
    """Yield what is on the shelf that is looked at, or on all of them, page after page."""
    shown = asking.query.get("show", "")
    shelves = SHELVES if asking.everything else (next((one for one in SHELVES if one == shown), SHELVES[0]),)
    filters = TypeFilters() if asking.everything else TypeFilters.read(asking.query)
    choices = await choices_of(asking.session)
    for shelf in shelves:
        number = 1
        while True:
            found = await filters.page(asking.session, choices, shelf=shelf, number=number, size=_PAGE)
            for type_ in found.items:
                yield type_
            if number * _PAGE >= found.total:
                break
            number += 1


async def questions(asking: Asking) -> AsyncIterator[Row]:
    """Yield what students are asked, type by type."""
    found = await appointments.list_types(asking.session, include_unpublished=True, include_archived=True)
    for type_ in found:
        for question in type_.questions:
            yield (
                type_.name,
                question.label,
                _(_QUESTIONS[question.kind]),
                question.hint,
                ", ".join(question.options),
                yes_no(question.required),
            )


async def locations(asking: Asking) -> AsyncIterator[Row]:
    """Yield the places that their list shows."""
    found = await appointments.list_locations(asking.session, include_archived=True)
    for place in found if asking.everything else listed_places(found, asking.query):
        archived = day_of(place.archived_at, asking.organization.time_zone)
        yield place.name, place.address, place.directions, place.time_zone, archived


async def rooms(asking: Asking) -> AsyncIterator[Row]:
    """Yield the rooms of every place."""
    names = await _place_names(asking)
    for room in await appointments.list_rooms(asking.session, include_archived=True):
        archived = day_of(room.archived_at, asking.organization.time_zone)
        yield names.get(room.location_id, ""), room.name, room.capacity, archived


async def opening_hours(asking: Asking) -> AsyncIterator[Row]:
    """Yield when places are open, a window a row, on their own clock."""
    names = await _place_names(asking)
    for id_, windows in (await scheduling.opening_hours_of_many(asking.session, list(names))).items():
        for window in windows:
            yield (
                names[id_],
                weekday(window.weekday),
                clock_minutes(window.starts_minute),
                clock_minutes(window.ends_minute),
            )


async def closures(asking: Asking) -> AsyncIterator[Row]:
    """Yield the closures that their list shows."""
    names = await _place_names(asking)
    past = asking.query.get("show") == "past"
    for closure in await scheduling.list_closures(asking.session):
        if asking.everything or past == (closure.next_starts_on is None):
            where = names.get(closure.location_id, "") if closure.location_id else _("The whole school")
            yield (
                closure.name,
                closure.starts_on.isoformat(),
                closure.ends_on.isoformat(),
                yes_no(closure.yearly),
                where,
            )


async def zones(asking: Asking) -> AsyncIterator[Row]:
    """Yield how long the way to students takes."""
    for zone in await appointments.list_travel_zones(asking.session):
        yield zone.name, ", ".join(zone.postcode_prefixes), zone.travel_minutes


async def _place_names(asking: Asking) -> dict[uuid.UUID, str]:
    found = await appointments.list_locations(asking.session, include_archived=True)
    return {place.id: place.name for place in found}


TYPES = Export(
    "types",
    N_("Appointment types"),
    (
        *(column.title for column in TYPE_COLUMNS),
        N_("Currency"),
        N_("Other durations"),
        N_("Start times every"),
        N_("Booking horizon"),
        N_("Bookable from"),
        N_("Bookable until"),
        N_("Moving until"),
        N_("Most times moved"),
        N_("Approval needed"),
        N_("Visible to"),
        N_("Most in a day"),
        N_("Most in a week"),
        N_("Most in a day for one student"),
        N_("Most in a week for one student"),
        N_("Colour"),
        N_("Archived"),
    ),
    types,
)
QUESTIONS = Export(
    "questions",
    N_("Questions"),
    (N_("Appointment type"), N_("Question"), N_("Kind"), N_("Hint"), N_("Choices"), N_("Needed")),
    questions,
)
LOCATIONS = Export(
    "locations",
    N_("Locations"),
    (N_("Name"), N_("Address"), N_("Directions"), N_("Time zone"), N_("Archived")),
    locations,
)
ROOMS = Export("rooms", N_("Rooms"), (N_("Location"), N_("Name"), N_("Seats"), N_("Archived")), rooms)
OPENING_HOURS = Export(
    "opening-hours",
    N_("Opening hours"),
    (N_("Location"), N_("Weekday"), N_("From"), N_("Until")),
    opening_hours,
)
CLOSURES = Export(
    "closures",
    N_("Closures"),
    (N_("Name"), N_("First day"), N_("Last day"), N_("Every year"), N_("Where")),
    closures,
)
ZONES = Export("travel-zones", N_("Travel zones"), (N_("Name"), N_("Postcodes"), N_("Minutes")), zones)
