"""What the one mail about a series of lessons says, in the language spoken right now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from coursecove import formatting
from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _, ngettext
from coursecove.notifications.kinds import SERIES_ENDED
from coursecove.notifications.letters import Button, Fact, Letter, what_of, where_of
from coursecove.notifications.notices import Notice
from coursecove.notifications.wording import moment_in_words, short_start, zone_name

#: So many dates are written out; the attached file has all of them.
MOST_DATES = 15


def series_letter(notice: Notice) -> Letter:
    """Return the words about several lessons that were booked, or changed, in one go."""
    count = len(notice.lessons)
    lessons = ngettext("{count} lesson", "{count} lessons", count).format(count=count)
    start = short_start(notice.booking.starts_at, notice.zone, with_zone=notice.other_zone is not None)
    heading, opening = _saying(notice, lessons)
    return Letter(
        subject=_subject(notice).format(what=what_of(notice), lessons=lessons, start=start),
        preheader=_("{lessons} from {start}").format(lessons=lessons, start=start),
        heading=heading,
        opening=[opening],
        quotes=[Fact(_("Reason"), notice.booking.cancellation_reason)]
        if notice.booking.cancellation_reason
        else [],
        facts=_facts(notice),
        buttons=[_button(notice)],
        notes=_notes(notice),
        footer=None
        if notice.part == "student"
        else _("You get this mail because you teach at {school}.").format(school=notice.organization.name),
    )


def _subject(notice: Notice) -> str:
    asked = notice.booking.status == "pending"
    match notice.kind:
        case "series_moved":
            return _("Moved: {what}, {lessons} from {start}")
        case "series_cancelled":
            return _("Cancelled: {what}, {lessons} from {start}")
        case "series_declined":
            return _("Declined: {what}, {lessons} from {start}")
        case "series_lapsed":
            return _("Not confirmed: {what}, {lessons} from {start}")
        case "series_approved":
            return _("Confirmed: {what}, {lessons} from {start}")
    if notice.part == "instructor":
        if asked:
            return _("Please answer: {what}, {lessons} from {start}")
        return _("New lessons: {what}, {lessons} from {start}")
    if asked:
        return _("Request received: {what}, {lessons} from {start}")
    return _("Confirmed: {what}, {lessons} from {start}")


def _saying(notice: Notice, lessons: str) -> tuple[str, str]:
    booking = notice.booking
    words = {
        "student": booking.student.name,
        "lesson": booking.appointment_type.name,
        "instructor": booking.instructor.name,
        "school": notice.organization.name,
        "lessons": lessons,
        "name": notice.actor or notice.organization.name,
    }
    heading, said = _SAYING[notice.kind](notice, words)
    return heading.format(**words), said.format(**words)


def _booked(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    if notice.booking.status == "pending":
        return _asked(notice, words)
    if notice.part == "instructor":
        return _("You have new lessons"), _("{student} is booked for {lesson} with you: {lessons}.")
    if notice.child:
        said = _("{student} is booked for {lesson} with {instructor} at {school}: {lessons}.")
        return _("{student}’s lessons are booked"), said
    return (
        _("Your lessons are booked"),
        _("You are booked for {lesson} with {instructor} at {school}: {lessons}."),
    )


def _asked(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    first = min(one.approve_by or one.starts_at for one in notice.lessons)
    words["until"] = moment_in_words(first, notice.zone)
    if notice.part == "instructor":
        said = _(
            "{student} asks for {lessons}. Please answer until {until}; what is not answered in time lapses. "
            "One answer can be for all of them, or each has its own."
        )
        return _("Requests wait for your answer"), said
    said = _(
        "{school} answers until {until}. The times are kept for you; a lesson is yours once it is confirmed."
    )
    return _("We have received your request"), said


def _approved(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    if notice.part == "instructor":
        return _("The lessons are confirmed"), _("The requests are confirmed; {student} has been told.")
    words["name"] = notice.actor or notice.booking.instructor.name
    return _("Your requests are confirmed"), _("{name} has confirmed {lessons}. See you there!")


def _declined(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    if notice.part == "instructor":
        return _("Requests were declined"), _("The times of {lessons} are free again.")
    del words
    said = _("{name} cannot confirm them: {lessons}. The times are free again; perhaps others suit you.")
    return _("These lessons cannot take place"), said


def _lapsed(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    del words
    if notice.part == "instructor":
        return _("Requests have lapsed"), _("They were not answered in time, and the times are free again.")
    said = _(
        "{school} has not answered in time, so the requests have lapsed and the lessons do not take place. "
        "We are sorry. You can choose other times."
    )
    return _("Your requests have lapsed"), said


def _moved(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    del words
    said = _("{name} has moved {lessons} to another time.")
    if notice.by_reader:
        said = _("You have moved {lessons} to another time.")
    if notice.booking.status == "pending":
        said += " " + _("They are requests again and wait for an answer.")
    return _("These lessons have moved"), said


def _cancelled(notice: Notice, words: dict[str, str]) -> tuple[str, str]:
    by = notice.booking.cancelled_by
    if by is not None and by.id == notice.reader_id:
        return _("These lessons are cancelled"), _("You have cancelled {lessons}. Nothing else is needed.")
    words["name"] = by.name if by else notice.organization.name
    said = _("{name} has cancelled {lessons}; they will not take place.")
    return _("These lessons are cancelled"), said


_SAYING: dict[str, Callable[[Notice, dict[str, str]], tuple[str, str]]] = {
    "series_booked": _booked,
    "series_approved": _approved,
    "series_declined": _declined,
    "series_lapsed": _lapsed,
    "series_moved": _moved,
    "series_cancelled": _cancelled,
}


def _facts(notice: Notice) -> list[Fact]:
    booking = notice.booking
    facts = [Fact(_("Lesson"), booking.appointment_type.name)]
    if notice.child:
        facts.append(Fact(_("For"), notice.child))
    clock = _("All times are {zone}.").format(zone=zone_name(notice.zone))
    facts.append(Fact(_("When"), "\n".join(dates_in_words(notice)), clock, apart=True))
    facts.append(where_of(_everywhere(notice.lessons)))
    if notice.part == "student":
        facts.append(Fact(_("With"), booking.instructor.name))
        if booking.price_cents is not None and notice.kind not in SERIES_ENDED:
            price = formatting.money(booking.price_cents, booking.currency)
            facts.append(Fact(_("Price"), price, _("for each lesson") if booking.price_cents else None))
    else:
        facts.append(Fact(_("Student"), booking.student.name, booking.student.email))
    if booking.note:
        facts.append(Fact(_("Note"), booking.note))
    if notice.part == "instructor" and notice.kind == "series_booked":
        facts += [Fact(answer.label, answer.answer) for answer in booking.answers if answer.answer]
    return facts


def dates_in_words(notice: Notice) -> list[str]:
    """Return a line for each lesson, "Tuesday 24 November 2026, 16:00–16:45"; after fifteen, how many more."""
    lines = [_date(lesson, notice) for lesson in notice.lessons[:MOST_DATES]]
    more = len(notice.lessons) - len(lines)
    if more:
        lines.append(ngettext("and {count} more", "and {count} more", more).format(count=more))
    return lines


def _date(lesson: BookingView, notice: Notice) -> str:
    former = notice.formers.get(lesson.id)
    if former is None or former.starts_at is None:
        return _when(lesson, notice)
    before = short_start(former.starts_at, notice.zone, with_zone=False)
    return _("{when}, instead of {before}").format(when=_when(lesson, notice), before=before)


def _when(lesson: BookingView, notice: Notice) -> str:
    said = _span(lesson.starts_at, lesson.ends_at, notice.zone)
    other = notice.other_zone
    if other is None or formatting.same_clock(lesson.starts_at, notice.zone, other):
        return said
    day = formatting.local(lesson.starts_at, notice.zone).date()
    if formatting.local(lesson.starts_at, other).date() == day:
        elsewhere = formatting.time_range(lesson.starts_at, lesson.ends_at, other)
    else:
        elsewhere = _span(lesson.starts_at, lesson.ends_at, other)
    return f"{said} ({elsewhere} {zone_name(other)})"


def _span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    return f"{formatting.day_long(starts_at, zone)}, {formatting.time_range(starts_at, ends_at, zone)}"


def _everywhere(lessons: list[BookingView]) -> BookingView:
    """Return the first lesson without its room, if the others are in another one."""
    rooms = {lesson.room.id if lesson.room else None for lesson in lessons}
    return lessons[0] if len(rooms) == 1 else msgspec.structs.replace(lessons[0], room=None)


def _button(notice: Notice) -> Button:
    if notice.booking.status == "pending" and notice.part == "instructor":
        return Button(_("Answer the requests"), notice.link)
    return Button(_("Open the first lesson"), notice.link)


def _notes(notice: Notice) -> list[str]:
    booking, notes = notice.booking, []
    if notice.part == "student" and booking.status == "confirmed":
        minutes = int((booking.starts_at - booking.cancel_until).total_seconds()) // 60
        if minutes > 0:
            said = _("If you cannot come to one of them, please cancel it at least {notice} before it begins.")
            notes.append(said.format(notice=formatting.notice(minutes)))
        else:
            notes.append(_("If you cannot come to one of them, please cancel it before it begins."))
    if notice.part == "student" or not notice.in_class:
        if notice.kind == "series_booked":
            notes.append(_("The attached file holds all of them for your calendar."))
        elif notice.kind in SERIES_ENDED:
            notes.append(_("The attached file takes all of them out of your calendar."))
        else:
            notes.append(_("The attached file brings all of them up to date in your calendar."))
    return notes
