"""Weekly hours: one window a row; whoever stands in the list has these hours and no others afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from coursecove.appointments import service as appointments
from coursecove.errors import CourseCoveError
from coursecove.formatting import DAYS_LONG, listed, weekdays
from coursecove.i18n import N_, _, ngettext, speaking
from coursecove.lists.imports.kinds import Column, ImportKind, Outcome, Problem, Work, by_name
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import WindowInput
from coursecove.spreadsheets import Row
from coursecove.tenants import service as tenants
from coursecove.tenants.uploaded_lists import emails_of_members, note_taken_over
from coursecove.typed import clock_time

_MOST_NAMED = 10


def _day_names() -> dict[str, int]:
    """Return ISO weekdays by every name and short form in our languages, and by number."""
    found = {str(number): number for number in range(1, 8)}
    for language in ("en", "de"):
        with speaking(language):
            for names in (weekdays(), weekdays("abbreviated"), weekdays("short")):
                found |= {name.rstrip(".").casefold(): number for number, name in enumerate(names, 1)}
    return found


async def read(work: Work) -> Outcome:
    """Set the week of everybody in the list; the rows that cannot be used are named."""
    outcome = Outcome()
    teachers = await tenants.list_instructors(work.session)
    emails = await emails_of_members(work.session)
    teaching = {teacher.id: teacher.name for teacher in teachers}
    people = by_name([(teacher.name, teacher.id) for teacher in teachers]) | {
        email: id_ for email, id_ in emails.items() if id_ in teaching
    }
    places = by_name([(place.name, place.id) for place in await appointments.list_locations(work.session)])
    days = _day_names()
    weeks: dict[uuid.UUID, list[WindowInput]] = {}
    rows_of: dict[tuple[uuid.UUID, int], Row] = {}
    for row in work.table.rows:
        problems = HOURS.missing(row)
        member_id, window = _window(row, people, places, days, problems)
        outcome.problems += problems
        if member_id and window and not problems:
            weeks.setdefault(member_id, []).append(window)
            rows_of[member_id, window.weekday] = row
            outcome.done += 1
    for member_id, windows in weeks.items():
        try:
            async with work.session.begin_nested():
                await scheduling.replace_hours(work.session, member_id, windows, by=work.by)
        except CourseCoveError as error:
            outcome.problems += _problems(error, member_id, rows_of)
    outcome.problems.sort(key=lambda problem: problem.row)
    if weeks:
        names = [teaching[id_] for id_ in weeks]
        shown = listed(
            [*names[:_MOST_NAMED], _("{count} more").format(count=len(names) - _MOST_NAMED)]
            if len(names) > _MOST_NAMED
            else names
        )
        outcome.notes.append(_("This replaces the weekly hours of {names}.").format(names=shown))
    if work.apply and work.taken is not None and not outcome.problems:
        await note_taken_over(work.session, work.taken, rows=outcome.done, by=work.by)
    return outcome


def _window(
    row: Row,
    people: Mapping[str, uuid.UUID | None],
    places: Mapping[str, uuid.UUID | None],
    days: Mapping[str, int],
    problems: list[Problem],
) -> tuple[uuid.UUID | None, WindowInput | None]:
    def wrong(column: str, message: str) -> None:
        problems.append(Problem(row.number, HOURS.title_of(column), message))

    cells = row.cells
    who, place = cells.get("instructor", ""), cells.get("location", "")
    member_id = people.get(who.casefold())
    if who and member_id is None:
        twice = who.casefold() in people
        message = _("Several are called “{name}”.") if twice else _("Nobody called “{name}” teaches here.")
        wrong("instructor", message.format(name=who))
    day = days.get(cells.get("day", "").rstrip(".").casefold())
    if cells.get("day") and day is None:
        wrong("day", _("Write a day of the week such as Monday."))
    minutes: dict[str, int] = {}
    for column in ("from", "until"):
        try:
            if cells.get(column):
                minutes[column] = clock_time(cells[column])
        except ValueError as error:
            wrong(column, str(error))
    if len(minutes) == 2 and minutes["until"] <= minutes["from"]:
        wrong("until", _("The end must be after the start."))
    location_id = places.get(place.casefold()) if place else None
    if place and location_id is None:
        wrong("location", _("There is no location called “{name}”.").format(name=place))
    if problems or day is None or len(minutes) < 2:
        return member_id, None
    return member_id, WindowInput(day, minutes["from"], minutes["until"], location_id)


def _problems(
    error: CourseCoveError, member_id: uuid.UUID, rows_of: Mapping[tuple[uuid.UUID, int], Row]
) -> list[Problem]:
    """Return what the verb refuses, at the last row of the day it is about."""
    found = []
    for field, message in (error.fields or {"": error.detail or _(error.title)}).items():
        day = next((number for number, name in enumerate(DAYS_LONG, 1) if name.lower() == field), None)
        rows = [row for (id_, on), row in rows_of.items() if id_ == member_id and on == (day or on)]
        found.append(Problem(rows[-1].number, HOURS.title_of("day") if day else "", message))
    return found


COLUMNS = (
    Column(
        "instructor",
        N_("Instructor"),
        N_("Name or e-mail of somebody who teaches."),
        (N_("Ida Berg"), N_("Ida Berg")),
        ("name", "email", "lehrkraft"),
        required=True,
    ),
    Column(
        "day", N_("Weekday"), N_("Monday to Sunday."), (N_("Monday"), N_("Wednesday")), ("day", "tag"), True
    ),
    Column("from", N_("From"), N_("A time such as 09:00."), ("09:00", "14:30"), ("start", "beginn"), True),
    Column("until", N_("Until"), N_("A time such as 17:30."), ("12:00", "18:00"), ("to", "end", "ende"), True),
    Column("location", N_("Location"), N_("Empty means wherever the lesson is taught."), ("", ""), ("ort",)),
)

HOURS = ImportKind(
    slug="hours",
    kind="hours",
    title=N_("Weekly hours"),
    lead=N_("Each row is one window of somebody’s week, on their own clock."),
    icon="clock",
    columns=COLUMNS,
    read=read,
    confirm=lambda count: ngettext("Set {count} window", "Set {count} windows", count).format(count=count),
    done=lambda count: ngettext("{count} window is set.", "{count} windows are set.", count).format(
        count=count
    ),
    result_href="/admin/people?role=instructor",
)
