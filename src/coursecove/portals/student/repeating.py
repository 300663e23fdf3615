"""Booking the same time every week: a look at every date first, then all of it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from litestar import Controller, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.bookings import service as bookings
from coursecove.bookings.errors import SeriesConflict
from coursecove.bookings.series_schemas import (
    Occurrence,
    OccurrenceInstead,
    SeriesCreate,
    SeriesPreview,
    SeriesView,
)
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid
from coursecove.i18n import _, ngettext
from coursecove.portals.pages import AnyRequest, redirect
from coursecove.portals.student.booking import sent_choice, wanted_booking
from coursecove.portals.student.choice import Choice, instant_text, read_instant
from coursecove.portals.student.flow import REPEATING, draw, refused
from coursecove.tenants.guards import as_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

# A year of weeks, and what is decided about each of their dates.
_MOST_TIMES = 53
_DATES = tuple(f"date-{number}" for number in range(_MOST_TIMES))
REPEAT_FIELDS = ("repeat", "times")
_SKIP = "skip"


class SeriesPages(Controller):
    """Nothing is written before every date has been looked at."""

    path = "/book"
    include_in_schema = False
    dependencies = {"by": Provide(as_member)}

    @post("/{slug:str}/series", status_code=200)
    async def repeat(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show what every date would be; with the second button book them all, or none."""
        key, choice, values = await sent_choice(
            request, session, organization, slug, by, more=(*REPEAT_FIELDS, "book", *_DATES)
        )
        as_asked = choice
        if choice.offer.held is not None:
            # Its own hold would stand in the way of the first lesson.
            await bookings.release_hold(session, choice.offer.held.id, by=by)
            choice = replace(choice, offer=replace(choice.offer, held=None))
        try:
            wanted = _wanted(choice, values, key=key)
            if not values.get("book"):
                preview = await bookings.preview_series(session, wanted, by=by, complete=True)
                return _draw(request, choice, values, preview)
            series = await bookings.book_series(session, wanted, by=by)
        except SeriesConflict as error:
            await discard(session)
            return _draw(
                request, choice, values, error.extra["preview"], said=error.detail, status_code=error.status
            )
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            # What is undone with it is that the hold was let go.
            await discard(session)
            return await refused(request, session, as_asked, error, values={**values, REPEATING: "yes"}, by=by)
        return redirect(request, "/lessons", flash=_said(series))


def _wanted(choice: Choice, values: Mapping[str, str], *, key: str | None) -> SeriesCreate:
    single = wanted_booking(choice, values, key=key)
    times, every = values.get("times", ""), values.get("repeat", "")
    if not times.isdecimal() or not 2 <= int(times[:4]) <= _MOST_TIMES:
        raise Invalid(fields={"times": _("Say how many lessons: 2 to {most}.").format(most=_MOST_TIMES)})
    skip, instead = [], []
    for name in _DATES:
        on, _space, decision = values.get(name, "").partition(" ")
        if not on or not decision:
            continue
        moment = read_instant(decision)
        try:
            day = date.fromisoformat(on)
        except ValueError:
            raise Invalid(fields={"times": _("Decide about each date once.")}) from None
        if decision == _SKIP or moment is None:
            skip.append(day)
        else:
            instead.append(OccurrenceInstead(on=day, starts_at=moment))
    return SeriesCreate(
        appointment_type_id=single.appointment_type_id,
        starts_at=single.starts_at,
        every_weeks=2 if every == "2" else 1,
        times=int(times),
        skip=skip,
        instead=instead,
        duration_minutes=single.duration_minutes,
        instructor_id=single.instructor_id,
        location_id=single.location_id,
        student_id=single.student_id,
        note=single.note,
        answers=single.answers,
        address=single.address,
        postcode=single.postcode,
        link_key=single.link_key,
    )


def _said(series: SeriesView) -> str:
    count = len(series.lessons)
    said = ngettext(
        "{count} lesson is booked, {first} to {last}.", "{count} lessons are booked, {first} to {last}.", count
    )
    if any(lesson.status == "pending" for lesson in series.lessons):
        said = ngettext(
            "You asked for {count} lesson, {first} to {last}.",
            "You asked for {count} lessons, {first} to {last}.",
            count,
        )
    return said.format(count=count, first=formatting.day(series.first_on), last=formatting.day(series.last_on))


def _draw(
    request: AnyRequest,
    choice: Choice,
    values: Mapping[str, str],
    preview: SeriesPreview,
    *,
    said: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    offer = choice.offer
    teacher = next(
        (t for t in offer.teachers if preview.instructor is not None and t.id == preview.instructor.id), None
    )
    # "Anyone" is decided now: what is shown is booked with this very person.
    settled = replace(choice, teacher=teacher or choice.teacher, anyone=teacher is None and choice.anyone)
    rows = [_row(choice, number, one) for number, one in enumerate(preview.occurrences)]
    answers = {
        name: value
        for name, value in values.items()
        if value and (name.startswith("answer-") or name in ("address", "postcode", "note", *REPEAT_FIELDS))
    }
    return draw(
        request,
        settled,
        "series",
        _("Look at the dates"),
        status_code=status_code,
        said=said,
        with_name=preview.instructor.name if preview.instructor else None,
        place=preview.location,
        rows=rows,
        decisions=sum(not row["ok"] and len(row["options"]) > 1 for row in rows),
        bookable=preview.bookable,
        conflicts=preview.conflicts,
        time_value=instant_text(choice.time) if choice.time else "",
        kept=answers,
        rhythm=_("Every two weeks") if values.get("repeat") == "2" else _("Every week"),
        back_href=choice.href(time=choice.time),
    )


def _row(choice: Choice, number: int, one: Occurrence) -> dict[str, Any]:
    clocks, on = choice.clocks, one.on.isoformat()
    options: list[dict[str, str]] = []
    if one.ok:
        options.append({"value": "", "label": _("Book it")})
    elif one.alternative is not None:
        options.append(
            {
                "value": f"{on} {instant_text(one.alternative.starts_at)}",
                "label": _("{time} instead").format(time=clocks.moment(one.alternative.starts_at)),
            }
        )
    options.append({"value": f"{on} {_SKIP}", "label": _("Leave it out")})
    return {
        "name": f"date-{number}",
        "when": clocks.moment(one.starts_at),
        "ok": one.ok,
        "skipped": one.skipped,
        "message": one.message,
        "options": options,
        "value": options[-1]["value"] if one.skipped else options[0]["value"],
    }
