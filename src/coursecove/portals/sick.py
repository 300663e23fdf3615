"""Somebody cannot teach: their lessons of a period, who could give each of them, and one form that settles all.

For instructors about themselves and for admins about anybody.  Lessons are
handed over or cancelled, the students are told, and the period is taken off:
all of it, or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings import service as bookings
from coursecove.bookings.calendar_schemas import HandOver, HandOverChoice, HandOverResult, SubstituteLesson
from coursecove.errors import Conflict, Invalid
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.booking_filters import midnight, readable_day
from coursecove.portals.admin.calendar_words import place_of, seats_words
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.lesson_words import instructor_clocks
from coursecove.portals.pages import AnyRequest, redirect, render
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import TimeOffCreate
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

CANCEL = "cancel"
_LONGEST_DAYS = 120
_LONGEST_MESSAGE = 500
_MOST_LESSONS = 200


@dataclass(frozen=True, slots=True)
class Absent:
    """Whose absence a page is about, and where the page is; ``own``: their own page."""

    member: Member
    zone: str
    path: str
    # Where to go on when all is settled.
    back: str
    own: bool
    page: Callable[[str], dict[str, Any]]


@dataclass(slots=True)
class Period:
    """Whole local days as they stand in an address, the first one from now on."""

    first: date
    last: date
    from_text: str
    until_text: str
    errors: dict[str, str] = field(default_factory=dict)

    def window(self, zone: str) -> tuple[datetime, datetime]:
        """Return the instants of the period; what is over of its first day is left out."""
        begun = clock.now().replace(second=0, microsecond=0)
        return max(midnight(self.first, zone), begun), midnight(self.last + timedelta(days=1), zone)


def read_period(values: Mapping[str, str], zone: str) -> Period:
    """Return the days asked for, today when nothing is; what cannot be used is said at its field."""
    today = formatting.local(clock.now(), zone).date()
    from_text = values.get("from", "") or today.isoformat()
    first = readable_day(from_text)
    until_text = values.get("until", "") or (first or today).isoformat()
    last = readable_day(until_text)
    period = Period(first or today, last or first or today, from_text, until_text)
    for name, day in (("from", first), ("until", last)):
        if day is None:
            period.errors[name] = _("Enter a date such as 2026-12-31.")
    if not period.errors:
        if period.last < today:
            period.errors["until"] = _("This is over already.")
        elif period.last < period.first:
            period.errors["until"] = _("The last day must not be before the first.")
        elif (period.last - period.first).days >= _LONGEST_DAYS:
            period.errors["until"] = _("At most {number} days at a time, please.").format(number=_LONGEST_DAYS)
    return period


async def show(request: AnyRequest, session: AsyncSession, absent: Absent, *, by: Member) -> Response[Any]:
    """Draw the lessons of the period in the address with what could become of each."""
    period = read_period(request.query_params, absent.zone)
    return await _draw(request, session, absent, period, Form(), by=by, status_code=200)


async def settle(request: AnyRequest, session: AsyncSession, absent: Absent, *, by: Member) -> Response[Any]:
    """Do what the form says about every lesson, and take the period off; nothing is done by half."""
    values = await read_form(request, fields=("from", "until", "message"), lists=("lesson", "becomes"))
    form = Form(values)
    period = read_period(values, absent.zone)
    if period.errors:
        return await _draw(request, session, absent, period, form, by=by, status_code=422)
    from_, until = period.window(absent.zone)

    async def verb() -> HandOverResult:
        lessons = await bookings.substitutes(session, absent.member.id, from_=from_, until=until, by=by)
        choices = _choices(lessons, _said(form))
        result = HandOverResult(0, 0)
        if choices:
            result = await bookings.hand_over(session, HandOver(choices, form.value("message")), by=by)
        away = await scheduling.time_off_of(session, absent.member.id, from_=from_, until=until)
        if not any(off.starts_at <= from_ and until <= off.ends_at for off in away):
            time_off = TimeOffCreate(from_, until, _("Sick"))
            await scheduling.add_time_off(session, absent.member.id, time_off, by=by)
        return result

    result, refused = await attempt(session, form, verb)
    if refused is None:
        return redirect(request, absent.back, flash=_settled(absent, period, result))
    return await _draw(request, session, absent, period, refused, by=by, status_code=refused.refused_status)


def _said(form: Form) -> dict[str, str]:
    """Return what was chosen, by lesson as it stands in the form."""
    return dict(zip(form.values.get("lesson", ()), form.values.get("becomes", ()), strict=False))


def _lesson_handle(lesson: SubstituteLesson) -> str:
    return handle_of(lesson.lesson.session_id, lesson.lesson.appointment_type.name)


def _choices(lessons: Sequence[SubstituteLesson], said: Mapping[str, str]) -> list[HandOverChoice]:
    """Return what was decided about each lesson there is now, in their order.

    Raises Conflict at every lesson that was not in the form, and Invalid where
    the chosen colleague is not free any more.
    """
    if len(lessons) > _MOST_LESSONS:
        raise Invalid(fields={"until": _("These are too many lessons at once. Choose fewer days.")})
    choices: list[HandOverChoice] = []
    new: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for number, lesson in enumerate(lessons):
        decided = said.get(_lesson_handle(lesson))
        colleagues = {handle_of(person.id, person.name): person.id for person in lesson.colleagues}
        if decided is None:
            new[f"lessons.{number}"] = _("This lesson is new. Decide about it as well.")
        elif decided != CANCEL and decided not in colleagues:
            wrong[f"lessons.{number}"] = _("Choose somebody who is free, or cancel the lesson.")
        else:
            choices.append(HandOverChoice(lesson.lesson.session_id, colleagues.get(decided)))
    if new:
        raise Conflict(_("A lesson was booked in the meantime. Nothing was changed."), fields={**new, **wrong})
    if wrong:
        raise Invalid(_("Nothing was changed. Look at the marked lessons."), fields=wrong)
    return choices


def _settled(absent: Absent, period: Period, result: HandOverResult) -> str:
    until = formatting.day(period.last)
    parts = []
    if result.handed_over:
        parts.append(
            ngettext("{count} lesson handed over", "{count} lessons handed over", result.handed_over).format(
                count=result.handed_over
            )
        )
    if result.cancelled:
        parts.append(
            ngettext("{count} lesson cancelled", "{count} lessons cancelled", result.cancelled).format(
                count=result.cancelled
            )
        )
    if absent.own:
        text = _("You are off until {day}.").format(day=until)
    else:
        text = _("{name} is off until {day}.").format(name=absent.member.name, day=until)
    if parts:
        done = _("{what}; everybody concerned will be told.").format(what=formatting.listed(parts))
        text = f"{text} {done}"
    return f"{text} {_('Get well soon!')}" if absent.own else text


async def _draw(
    request: AnyRequest,
    session: AsyncSession,
    absent: Absent,
    period: Period,
    form: Form,
    *,
    by: Member,
    status_code: int,
) -> Response[Any]:
    lessons: list[SubstituteLesson] = []
    if not period.errors:
        from_, until = period.window(absent.zone)
        lessons = await bookings.substitutes(session, absent.member.id, from_=from_, until=until, by=by)
    title = _("I cannot teach") if absent.own else _("{name} cannot teach").format(name=absent.member.name)
    return render(
        request,
        "teach/sick.html",
        absent.page(title),
        status_code=status_code,
        absent=absent,
        name=absent.member.name,
        zone=formatting.zone_name(absent.zone),
        period=period,
        quick=_quick(absent, period),
        days=_days(period),
        lessons=_rows(lessons, _said(form), form.errors, absent.zone),
        form=form,
        longest_message=_LONGEST_MESSAGE,
    )


def _days(period: Period) -> str:
    if period.first == period.last:
        return formatting.day_long(period.first)
    return _("{first} to {last}").format(first=formatting.day(period.first), last=formatting.day(period.last))


def _quick(absent: Absent, period: Period) -> list[dict[str, Any]]:
    """Return the periods people mean most of the time."""
    today = formatting.local(clock.now(), absent.zone).date()
    tomorrow = today + timedelta(days=1)
    sunday = today + timedelta(days=6 - today.weekday())
    spans = [
        (_("Today"), today, today),
        (_("Tomorrow"), tomorrow, tomorrow),
        (_("Today and tomorrow"), today, tomorrow),
    ]
    if sunday > tomorrow:
        spans.append((_("This week"), today, sunday))
    return [
        {
            "label": label,
            "href": f"{absent.path}?from={first.isoformat()}&until={last.isoformat()}",
            "current": not period.errors and (period.first, period.last) == (first, last),
        }
        for label, first, last in spans
    ]


def _rows(
    lessons: Sequence[SubstituteLesson], said: Mapping[str, str], errors: Mapping[str, str], zone: str
) -> list[dict[str, Any]]:
    # Whoever can take most of the lessons is proposed, so that students meet few new faces.
    able = Counter(person.id for lesson in lessons for person in lesson.colleagues)
    rows = []
    for number, lesson in enumerate(lessons):
        entry = lesson.lesson
        private = entry.kind == "private"
        students = [seat.student.name for seat in entry.seats]
        best = sorted(lesson.colleagues, key=lambda person: -able[person.id])
        options = [{"value": handle_of(person.id, person.name), "label": person.name} for person in best]
        handle = _lesson_handle(lesson)
        when = instructor_clocks(venue=entry.venue_time_zone, own=zone).when(entry.starts_at, entry.ends_at)
        rows.append(
            {
                "handle": handle,
                "number": number,
                "when": when,
                "title": students[0] if private and students else entry.appointment_type.name,
                "text": entry.appointment_type.name
                if private and students
                else seats_words(entry.seats_taken, entry.capacity),
                "where": place_of(entry),
                "color": entry.appointment_type.color,
                "pending": entry.status == "pending",
                "alone": not options,
                "options": [*options, {"value": CANCEL, "label": _("Cancel it")}],
                "chosen": said.get(handle) or (options[0]["value"] if options else CANCEL),
                "error": errors.get(f"lessons.{number}"),
            }
        )
    return rows
