"""What each kind of mail about a booking says, in the language spoken right now.

A letter is words without a form: the templates draw it as text and as HTML, so
neither can say what the other does not.  ``opening`` is what a school may say in
its own words instead; everything else always stands.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from coursecove import formatting
from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _
from coursecove.notifications.notices import Notice
from coursecove.notifications.wording import moment_in_words, short_start, time_span


class Fact(Struct, frozen=True):
    """One line of what has to be known; ``note`` stands below it.

    ``apart``: its text is lines that are told from each other when they wrap.
    """

    label: str
    text: str
    note: str | None = None
    href: str | None = None
    apart: bool = False


class Button(Struct, frozen=True):
    """Where the letter leads."""

    label: str
    href: str


class Letter(Struct, frozen=True, kw_only=True):
    """The words of a mail."""

    subject: str
    # The line an inbox shows beside the subject.
    preheader: str
    heading: str
    opening: list[str]
    # What somebody wrote to the reader, as they wrote it.
    quotes: list[Fact] = []
    facts: list[Fact]
    buttons: list[Button] = []
    notes: list[str] = []
    # Why the reader gets it; None: because they have a lesson.
    footer: str | None = None


def letter_of(notice: Notice) -> Letter:
    """Return the words of a notice, CourseCove's throughout."""
    booking = notice.booking
    heading, opening = _SAYING[notice.kind](notice)
    when = time_span(booking.starts_at, booking.ends_at, notice.zone)
    return Letter(
        subject=subject(notice),
        preheader=when,
        heading=heading,
        opening=[opening] if opening else [],
        quotes=_quotes(notice),
        facts=facts_of(notice),
        buttons=_buttons(notice),
        notes=_notes(notice),
        footer=None
        if notice.part == "student"
        else _("You get this mail because you teach at {school}.").format(school=notice.organization.name),
    )


def subject(notice: Notice) -> str:
    """Return the subject in plain words, with the zone when the reader might think of another."""
    starts_at, _ends_at = times_of(notice)
    start = short_start(starts_at, notice.zone, with_zone=notice.other_zone is not None)
    return _verb(notice).format(what=what_of(notice), start=start)


def _verb(notice: Notice) -> str:
    match (notice.kind, notice.part):
        case ("confirmation", "instructor"):
            return _("New lesson: {what}, {start}")
        case ("confirmation" | "approval", _):
            return _("Confirmed: {what}, {start}")
        case ("request", "instructor"):
            return _("Please answer: {what}, {start}")
        case ("request", _):
            return _("Request received: {what}, {start}")
        case ("decline", _):
            return _("Declined: {what}, {start}")
        case ("lapse", _):
            return _("Not confirmed: {what}, {start}")
        case ("change", _) if notice.taken_over:
            return _("Yours now: {what}, {start}")
        case ("change", _) if notice.former.starts_at is not None:
            return _("Moved: {what}, now {start}")
        case ("change", _):
            return _("Changed: {what}, {start}")
        case ("handover", _):
            return _("Handed over: {what}, {start}")
        case ("reminder", _):
            return _("Reminder: {what}, {start}")
        case _:
            return _("Cancelled: {what}, {start}")


def what_of(notice: Notice) -> str:
    """Return what a subject calls the lesson: by its student, for whom it is not their own."""
    booking = notice.booking
    lesson = booking.appointment_type.name
    if notice.part != "student":
        # A class is known by its name; whose seat a fact came from is nobody's matter.
        return lesson if notice.in_class else with_student(lesson, booking.student.name)
    if notice.child:
        return _("{lesson} for {student}").format(lesson=lesson, student=notice.child)
    return lesson


def with_student(lesson: str, student: str) -> str:
    """Return "Violin lesson with Mia Okafor"."""
    return _("{lesson} with {student}").format(lesson=lesson, student=student)


def times_of(notice: Notice) -> tuple[datetime, datetime]:
    """Return when the lesson is; for one who gave it before, when it was theirs."""
    booking, former = notice.booking, notice.former
    if notice.part == "former" and former.starts_at and former.ends_at:
        return former.starts_at, former.ends_at
    return booking.starts_at, booking.ends_at


def _confirmation(notice: Notice) -> tuple[str, str]:
    booking = notice.booking
    words = {
        "student": booking.student.name,
        "lesson": booking.appointment_type.name,
        "instructor": booking.instructor.name,
        "school": notice.organization.name,
    }
    if notice.part == "instructor":
        return (
            _("You have a new lesson"),
            _("{student} is booked for {lesson} with you.").format(**words),
        )
    if notice.child:
        return (
            _("{student}’s lesson is booked").format(**words),
            _("{student} is booked for {lesson} with {instructor} at {school}.").format(**words),
        )
    return (
        _("Your lesson is booked"),
        _("You are booked for {lesson} with {instructor} at {school}.").format(**words),
    )


def _approval(notice: Notice) -> tuple[str, str]:
    if notice.part == "instructor":
        opening = _("The request is confirmed; {student} has been told.")
        return _("The lesson is confirmed"), opening.format(student=notice.booking.student.name)
    name = notice.actor or notice.booking.instructor.name
    return _("Your request is confirmed"), _("{name} has confirmed it. See you there!").format(name=name)


def _request(notice: Notice) -> tuple[str, str]:
    booking = notice.booking
    until = moment_in_words(booking.approve_by or booking.starts_at, notice.zone)
    if notice.part == "instructor":
        opening = _("{student} asks for this lesson. Please answer until {until}; after that it lapses.")
        return _("A request waits for your answer"), opening.format(student=booking.student.name, until=until)
    opening = _("{school} answers until {until}. The time is kept for you; it is yours once it is confirmed.")
    return (
        _("We have received your request"),
        opening.format(school=notice.organization.name, until=until),
    )


def _decline(notice: Notice) -> tuple[str, str]:
    if notice.part == "instructor":
        return _("A request was declined"), _("The time is free again.")
    name = notice.actor or notice.organization.name
    opening = _("{name} cannot confirm this lesson. The time is free again; perhaps another one suits you.")
    return _("This lesson cannot take place"), opening.format(name=name)


def _lapse(notice: Notice) -> tuple[str, str]:
    if notice.part == "instructor":
        return (
            _("A request has lapsed"),
            _("It was not answered in time, and the time is free again."),
        )
    opening = _(
        "{school} has not answered in time, so the request has lapsed and the lesson does not take place. "
        "We are sorry. You can choose another time."
    )
    return _("Your request has lapsed"), opening.format(school=notice.organization.name)


def _change(notice: Notice) -> tuple[str, str]:
    booking = notice.booking
    name = notice.actor or notice.organization.name
    if notice.taken_over:
        opening = _("{former} gave this lesson before; {name} has handed it to you.")
        if notice.former.instructor == name:
            opening = _("{former} has handed this lesson to you.")
        return _("This lesson is yours now"), opening.format(former=notice.former.instructor, name=name)
    if notice.former.starts_at is not None:
        if notice.by_reader:
            opening = _("You have moved this lesson to another time.")
        else:
            opening = _("{name} has moved this lesson to another time.").format(name=name)
        if booking.status == "pending":
            opening += " " + _("It is a request again and waits for an answer.")
        return _("This lesson has moved"), opening
    if notice.former.instructor is not None:
        opening = _("{instructor} gives this lesson instead of {former}.")
        return (
            _("Somebody else gives this lesson"),
            opening.format(instructor=booking.instructor.name, former=notice.former.instructor),
        )
    if notice.by_reader:
        return _("This lesson has changed"), _("You have changed this lesson. Below is how it is now.")
    opening = _("{name} has changed this lesson. Below is how it is now.").format(name=name)
    return _("This lesson has changed"), opening


def _handover(notice: Notice) -> tuple[str, str]:
    opening = _("{instructor} gives it from now on. Nothing else is needed.")
    return (
        _("This lesson is in other hands"),
        opening.format(instructor=notice.booking.instructor.name),
    )


def _cancellation(notice: Notice) -> tuple[str, str]:
    booking = notice.booking
    heading = _("This class is cancelled") if notice.in_class else _("This lesson is cancelled")
    by = booking.cancelled_by
    if notice.in_class and by is not None and by.id == booking.student.id:
        heading = _("This seat is given back")
    if by is not None and by.id == notice.reader_id:
        return heading, _("You have cancelled this lesson. Nothing else is needed.")
    name = by.name if by else notice.organization.name
    if notice.in_class:
        return heading, _("{name} has cancelled this class; it will not take place.").format(name=name)
    return heading, _("{name} has cancelled this lesson; it will not take place.").format(name=name)


def _reminder(notice: Notice) -> tuple[str, str]:
    booking = notice.booking
    day = formatting.day_near(booking.starts_at, notice.zone)
    time = formatting.time(booking.starts_at, notice.zone)
    heading = _("{day}, {time}: {lesson}").format(day=day, time=time, lesson=booking.appointment_type.name)
    if notice.part == "instructor":
        if notice.in_class:
            opening = _("Your class begins soon. {taken} of {seats} seats are taken.")
            return heading, opening.format(taken=booking.seats_taken, seats=booking.capacity)
        return heading, _("Your lesson with {student} begins soon.").format(student=booking.student.name)
    if notice.child:
        opening = _("{student}’s lesson with {instructor} begins soon.")
        return heading, opening.format(student=notice.child, instructor=booking.instructor.name)
    return heading, _("Your lesson with {instructor} begins soon.").format(instructor=booking.instructor.name)


_SAYING = {
    "confirmation": _confirmation,
    "approval": _approval,
    "request": _request,
    "decline": _decline,
    "lapse": _lapse,
    "change": _change,
    "handover": _handover,
    "cancellation": _cancellation,
    "reminder": _reminder,
}


def _quotes(notice: Notice) -> list[Fact]:
    booking = notice.booking
    if notice.message and notice.kind in ("change", "handover"):
        return [Fact(_("Message"), notice.message)]
    if booking.cancellation_reason and notice.kind in ("cancellation", "decline"):
        return [Fact(_("Reason"), booking.cancellation_reason)]
    return []


def facts_of(notice: Notice) -> list[Fact]:
    """Return when, where, with whom and what it costs, as its reader needs it."""
    booking, former = notice.booking, notice.former
    starts_at, ends_at = times_of(notice)
    elsewhere = time_span(starts_at, ends_at, notice.other_zone) if notice.other_zone else None
    facts = [Fact(_("Lesson"), booking.appointment_type.name)]
    if notice.child:
        facts.append(Fact(_("For"), notice.child))
    facts.append(Fact(_("When"), time_span(starts_at, ends_at, notice.zone), elsewhere))
    if notice.kind == "change" and former.starts_at and former.ends_at:
        facts.append(Fact(_("Before"), time_span(former.starts_at, former.ends_at, notice.zone)))
    facts.append(where_of(booking))
    if notice.part == "student":
        was = former.instructor
        instead = _("instead of {name}").format(name=was) if was else None
        facts.append(Fact(_("With"), booking.instructor.name, instead))
    elif notice.in_class:
        seats = _("{taken} of {seats} taken").format(taken=booking.seats_taken, seats=booking.capacity)
        facts.append(Fact(_("Seats"), seats))
    else:
        facts.append(Fact(_("Student"), booking.student.name, booking.student.email))
    if notice.part == "student" and booking.price_cents is not None:
        facts.append(Fact(_("Price"), formatting.money(booking.price_cents, booking.currency)))
    if booking.note and not (notice.in_class and notice.part != "student"):
        facts.append(Fact(_("Note"), booking.note))
    if notice.part == "instructor" and notice.kind in ("confirmation", "request", "change"):
        facts += [Fact(answer.label, answer.answer) for answer in booking.answers if answer.answer]
    return [*facts, Fact(_("Reference"), booking.reference)]


def where_of(booking: BookingView) -> Fact:
    """Return where a lesson is, and how one gets in."""
    if booking.location is not None:
        place = booking.location.name
        if booking.room is not None:
            place = f"{place}, {booking.room.name}"
        lines = [booking.location.address, booking.location.directions]
        return Fact(_("Where"), place, "\n".join(line for line in lines if line) or None)
    if booking.address:
        return Fact(_("Where"), booking.address, booking.postcode or None)
    if booking.appointment_type.location_mode == "students_place":
        return Fact(_("Where"), _("At the student’s place"))
    if booking.meeting_url:
        return Fact(_("Where"), _("Online: join the lesson"), href=booking.meeting_url)
    return Fact(_("Where"), _("Online"))


def _buttons(notice: Notice) -> list[Button]:
    booking = notice.booking
    if notice.part == "former":
        return []
    if notice.kind == "reminder" and booking.meeting_url:
        return [
            Button(_("Join the lesson"), booking.meeting_url),
            Button(_("Open the lesson"), notice.link),
        ]
    if notice.kind == "request" and notice.part == "instructor":
        return [Button(_("Answer the request"), notice.link)]
    return [Button(_("Open the lesson"), notice.link)]


def _notes(notice: Notice) -> list[str]:
    booking, notes = notice.booking, []
    if notice.part == "student" and booking.can_cancel and booking.status == "confirmed":
        until = moment_in_words(booking.cancel_until, notice.zone)
        if notice.kind in ("confirmation", "approval", "change", "reminder"):
            notes.append(_("If you cannot come, please cancel there until {until}.").format(until=until))
    if notice.in_class and notice.part != "student":
        return notes
    if notice.kind in ("confirmation", "approval", "request"):
        notes.append(_("The calendar entry is attached."))
    elif notice.kind == "change":
        notes.append(_("The attached file brings the entry in your calendar up to date."))
    elif notice.kind in ("cancellation", "decline", "lapse", "handover"):
        notes.append(_("The attached file takes it out of your calendar."))
    return notes
