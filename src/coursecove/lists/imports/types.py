"""Appointment types: each row becomes one, by the rules of its form."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeCreate
from coursecove.errors import CourseCoveError, Invalid
from coursecove.i18n import N_, _, ngettext
from coursecove.lists.imports.kinds import Column, ImportKind, Outcome, Problem, Work, by_name, parts, spoken
from coursecove.spreadsheets import Row
from coursecove.tenants import service as tenants
from coursecove.tenants.uploaded_lists import note_taken_over
from coursecove.typed import convert, price_in, whole_number

MOST = 300
_KINDS = {"private": [N_("Private lesson")], "class": [N_("Class")]}
_MODES = {
    "in_person": [N_("In person")],
    "online": [N_("Online")],
    "students_place": [N_("At the student’s place")],
}
_YES_NO = {"yes": [N_("yes")], "no": [N_("no")]}


def _hours(text: str) -> int:
    """Read hours as minutes: "24", "1.5", "1,5"."""
    if not re.fullmatch(r"\d{1,4}([.,]\d{1,2})?", text):
        raise ValueError(_("Enter a number of hours such as 24."))
    return round(float(text.replace(",", ".")) * 60)


def _choice(words: Mapping[str, Sequence[str]], message: str) -> Callable[[str], str]:
    def read_choice(text: str) -> str:
        found = spoken(words).get(text.casefold())
        if found is None:
            raise ValueError(_(message))
        return found

    return read_choice


_FIELDS: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "name": ("name", None),
    "description": ("description", None),
    "minutes": ("duration_minutes", whole_number),
    # In the school's currency, which is known only when a list is read.
    "price": ("price_cents", None),
    "kind": ("kind", _choice(_KINDS, N_("Write private lesson or class."))),
    "seats": ("capacity", whole_number),
    "where": ("location_mode", _choice(_MODES, N_("Write in person, online or at the student’s place."))),
    "break_before": ("buffer_before_minutes", whole_number),
    "break_after": ("buffer_after_minutes", whole_number),
    "notice": ("minimum_notice_minutes", _hours),
    "cancelling": ("cancellation_notice_minutes", _hours),
}
_COLUMN_OF = {field: column for column, (field, _parser) in _FIELDS.items()} | {
    "location_ids": "locations",
    "instructor_ids": "instructors",
    "published": "published",
}


async def read(work: Work) -> Outcome:
    """Make a type of every row; the rows that cannot be are left out and named."""
    if len(work.table.rows) > MOST:
        message = _("At most {number} appointment types at once, please.")
        raise Invalid(fields={"file": message.format(number=MOST)})
    outcome = Outcome()
    places = by_name([(place.name, place.id) for place in await appointments.list_locations(work.session)])
    people = await tenants.list_instructors(work.session)
    teachers = by_name([(teacher.name, teacher.id) for teacher in people])
    everything = await appointments.list_types(work.session, include_unpublished=True, include_archived=True)
    currency = (await tenants.get_organization(work.session)).currency
    taken = {type_.name.casefold() for type_ in everything}
    for row in work.table.rows:
        problems = TYPES.missing(row)
        name = row.cells.get("name", "").casefold()
        if name and name in taken:
            problems.append(
                Problem(
                    row.number, TYPES.title_of("name"), _("There is an appointment type of this name already.")
                )
            )
        if not problems:
            try:
                data = _create(row, places, teachers, currency)
                async with work.session.begin_nested():
                    await appointments.create_type(work.session, data, by=work.by)
                outcome.done += 1
            except CourseCoveError as error:
                problems += _problems(row, error)
        taken.add(name)
        outcome.problems += problems
    if work.apply and work.taken is not None and not outcome.problems:
        await note_taken_over(work.session, work.taken, rows=outcome.done, by=work.by)
    return outcome


def _create(
    row: Row,
    places: Mapping[str, uuid.UUID | None],
    teachers: Mapping[str, uuid.UUID | None],
    currency: str,
) -> AppointmentTypeCreate:
    typed: dict[str, Any] = {
        field: row.cells[column] for column, (field, _parser) in _FIELDS.items() if row.cells.get(column)
    }
    errors: dict[str, str] = {}
    for column, field, known, unknown in (
        ("locations", "location_ids", places, N_("There is no location called “{name}”.")),
        ("instructors", "instructor_ids", teachers, N_("Nobody called “{name}” teaches here.")),
    ):
        names = parts(row.cells.get(column, ""))
        missing = next((name for name in names if known.get(name.casefold()) is None), None)
        if missing is not None:
            twice = missing.casefold() in known
            message = _("Several are called “{name}”.") if twice else _(unknown)
            errors[field] = message.format(name=missing)
        else:
            typed[field] = [str(known[name.casefold()]) for name in names]
    published = row.cells.get("published", "")
    if published:
        answer = spoken(_YES_NO).get(published.casefold())
        if answer is None:
            errors["published"] = _("Write yes or no.")
        typed["published"] = answer == "yes"
    parsers = {field: parser for field, parser in _FIELDS.values() if parser}
    parsers["price_cents"] = price_in(currency)
    try:
        data = convert(typed, AppointmentTypeCreate, parsers=parsers)
    except Invalid as error:
        raise Invalid(fields={**error.fields, **errors}) from None
    if errors:
        raise Invalid(fields=errors)
    return data


def _problems(row: Row, error: CourseCoveError) -> list[Problem]:
    if not error.fields:
        return [Problem(row.number, "", error.detail or _(error.title))]
    return [
        Problem(row.number, TYPES.title_of(_COLUMN_OF.get(field, "")), message)
        for field, message in error.fields.items()
    ]


COLUMNS = (
    Column(
        "name",
        N_("Name"),
        N_("What students choose by."),
        (N_("Piano lesson"), N_("Guitar class")),
        required=True,
    ),
    Column("description", N_("Description"), N_("What happens in it."), (N_("One to one."), "")),
    Column(
        "minutes",
        N_("Duration in minutes"),
        N_("From 5 to 720."),
        ("45", "60"),
        ("duration", "minutes", "dauer", "minuten"),
        required=True,
    ),
    Column("price", N_("Price"), N_("In the school’s currency; 0 is free, empty shows none."), ("45", "18.50")),
    Column("kind", N_("Kind"), N_("Private lesson or class."), (N_("Private lesson"), N_("Class"))),
    Column("seats", N_("Seats"), N_("Of a class."), ("", "8")),
    Column(
        "where",
        N_("Where"),
        N_("In person, online or at the student’s place."),
        (N_("In person"), N_("Online")),
    ),
    Column(
        "locations",
        N_("Locations"),
        N_("Names of your locations, with commas between them."),
        ("", ""),
        ("location", "ort", "orte"),
    ),
    Column(
        "instructors",
        N_("Instructors"),
        N_("Names of people who teach, with commas between them."),
        ("", ""),
        ("instructor", "lehrkraft"),
    ),
    Column("break_before", N_("Break before"), N_("In minutes."), ("0", "")),
    Column("break_after", N_("Break after"), N_("In minutes."), ("15", "")),
    Column("notice", N_("Minimum notice"), N_("In hours before the lesson."), ("24", "")),
    Column("cancelling", N_("Cancelling until"), N_("In hours before the lesson."), ("24", "")),
    Column("published", N_("Published"), N_("Yes or no; empty means yes."), (N_("yes"), N_("no"))),
)

TYPES = ImportKind(
    slug="types",
    kind="appointment_types",
    title=N_("Appointment types"),
    lead=N_("Each row becomes an appointment type; those you have stay as they are."),
    icon="shapes",
    columns=COLUMNS,
    read=read,
    confirm=lambda count: ngettext(
        "Add {count} appointment type", "Add {count} appointment types", count
    ).format(count=count),
    done=lambda count: ngettext(
        "{count} appointment type is added.", "{count} appointment types are added.", count
    ).format(count=count),
    result_href="/admin/types",
)
