"""The days and times of a booking as the calendar shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings.availability import available_slots, next_free
from coursecove.bookings.classes import list_classes
from coursecove.bookings.schemas import Alternative, PersonSummary, SlotView
from coursecove.i18n import _, ngettext
from coursecove.portals.lesson_words import long_day
from coursecove.portals.student.choice import PARTS, Choice, instant_text, part_of
from coursecove.scheduling import zones
from coursecove.tenants.family import ChildView
from coursecove.tenants.models import Member

# Where a time of day is free may be months away; it is looked for month by month, this many at most.
_MONTHS_LOOKED_THROUGH = 12
_FULL_CLASSES_SHOWN = 12


def weekday_heads() -> list[dict[str, str]]:
    """Return what stands above the columns of a month, in the reader's language."""
    return [{"short": name[:2], "long": name} for name in formatting.weekdays()]


@dataclass(slots=True)
class Calendar:
    """A month with its free days, the times of the chosen one, and where to look when there are none."""

    month: date
    title: str
    weeks: list[list[dict[str, Any]]]
    previous_href: str | None
    next_href: str | None
    any_free: bool
    day: date | None
    day_title: str | None
    groups: list[dict[str, Any]]
    # Where all times of the day are, when that is not chosen yet and one place has them all.
    day_place: str | None = None
    # {"text", "href"} of the day of the next free time; only where the month or the chosen day has none.
    next_free: dict[str, str] | None = None
    # {"text", "href"} of the very next free time, which is taken from there; in the first month only.
    soonest: dict[str, str] | None = None


async def calendar_of(
    session: AsyncSession, choice: Choice, *, viewer: Member | PersonSummary | ChildView | None
) -> Calendar:
    """Return the month of the choice; without one, that of the next free time with its day opened."""
    today = formatting.local(clock.now(), choice.zone).date()
    first = today.replace(day=1)
    end = today + timedelta(days=choice.offer.type.horizon_days)
    last = max(today, min(end, choice.offer.type.bookable_until or end)).replace(day=1)
    day, month = choice.day, choice.month
    if month is None:
        soonest = await _next_free(session, choice, clock.now(), viewer=viewer)
        day = formatting.local(soonest.starts_at, choice.zone).date() if soonest else None
        month = (day or today).replace(day=1)
    month = min(max(month, first), last)
    if day is not None and day.replace(day=1) != month:
        day = None
    following = _next_month(month)
    slots = await _slots(
        session,
        choice,
        _midnight(month, choice.zone),
        _midnight(following, choice.zone),
        viewer=viewer,
    )
    by_day: dict[date, list[SlotView]] = {}
    for slot in slots:
        by_day.setdefault(formatting.local(slot.starts_at, choice.zone).date(), []).append(slot)
    calendar = Calendar(
        month=month,
        title=formatting.month(month),
        weeks=_weeks(choice, month, by_day, day=day, today=today),
        previous_href=choice.href(month=_previous_month(month)) if month > first else None,
        next_href=choice.href(month=following) if following <= last else None,
        any_free=bool(by_day),
        day=day,
        day_title=long_day(day, choice.zone) if day else None,
        groups=_groups(choice, by_day.get(day, [])) if day else [],
    )
    if choice.place is None:
        calendar.day_place = _only_place(by_day.get(day, []) if day else [])
    if slots and (month == first or choice.month is None):
        calendar.soonest = _take(choice, slots[0])
    if not by_day or (day is not None and day not in by_day):
        after = _midnight(day if day and by_day else month, choice.zone)
        soonest = await _next_free(session, choice, after, viewer=viewer)
        if soonest is None and after > clock.now():
            soonest = await _next_free(session, choice, clock.now(), viewer=viewer)
        calendar.next_free = _link(choice, soonest) if soonest else None
    return calendar


async def full_classes(
    session: AsyncSession, choice: Choice, month: date, *, viewer: Member | PersonSummary | ChildView | None
) -> list[dict[str, Any]]:
    """Return the next classes from a month on that have no seat left; whoever wants one can wait for it."""
    if not choice.offer.is_class or choice.offer.moving_session_id:
        return []
    found = await list_classes(
        session,
        viewer=viewer if isinstance(viewer, Member) else None,
        from_=max(clock.now(), _midnight(month, choice.zone)),
        until=clock.now() + timedelta(days=choice.offer.type.horizon_days + 2),
        appointment_type_id=choice.offer.type.id,
        location_id=choice.location_id,
    )
    return [
        {
            "href": f"/classes/{class_.handle}",
            "when": choice.clocks.moment(class_.starts_at),
            "who": class_.instructor.name,
            "where": class_.location.name if class_.location else None,
        }
        for class_ in found
        if class_.seats_left == 0
    ][:_FULL_CLASSES_SHOWN]


async def _slots(
    session: AsyncSession,
    choice: Choice,
    from_: datetime,
    until: datetime,
    *,
    viewer: Member | PersonSummary | ChildView | None,
) -> list[SlotView]:
    """Return what is free and fits the time of day; a lesson that is moved is not moved to where it is."""
    found = await available_slots(
        session,
        choice.offer.type,
        **choice.asked,
        from_=from_,
        until=until,
        student_id=viewer.id if viewer else None,
    )
    return [
        slot
        for slot in found
        if slot.starts_at != choice.offer.moving_from
        and (not choice.part or part_of(formatting.local(slot.starts_at, choice.zone).hour) == choice.part)
    ]


async def slots_at(
    session: AsyncSession, choice: Choice, *, viewer: Member | PersonSummary | ChildView | None
) -> list[SlotView]:
    """Return what is free at the very time that was chosen, per place."""
    assert choice.time is not None
    return await available_slots(
        session,
        choice.offer.type,
        **choice.asked,
        from_=choice.time,
        until=choice.time + timedelta(seconds=1),
        student_id=viewer.id if viewer else None,
    )


def alternative_groups(choice: Choice, alternatives: Sequence[Alternative]) -> list[dict[str, Any]]:
    """Return the nearest free times as submit buttons, by day; their value is the time and the place."""
    groups: dict[str, list[dict[str, Any]]] = {}
    # A place is worth naming where the times differ in it, or it is another one than was wanted.
    known = choice.place.name if choice.place else None
    several = _only_place(alternatives) != known
    for slot in alternatives:
        day = formatting.day(slot.starts_at, choice.zone)
        place = slot.location.slug if slot.location else ""
        notes = [
            None if choice.teacher else slot.instructor.name,
            slot.location.name if slot.location and several else None,
            choice.clocks.elsewhere(slot.starts_at),
        ]
        groups.setdefault(day, []).append(
            {
                "time": formatting.time(slot.starts_at, choice.zone),
                "value": f"{instant_text(slot.starts_at)}/{place}",
                "note": ", ".join(note for note in notes if note) or None,
            }
        )
    return [{"label": day, "icon": "calendar-days", "slots": slots} for day, slots in groups.items()]


async def _next_free(
    session: AsyncSession, choice: Choice, after: datetime, *, viewer: Member | PersonSummary | ChildView | None
) -> SlotView | None:
    if choice.part or choice.offer.moving_from:
        month = formatting.local(max(after, clock.now()), choice.zone).date().replace(day=1)
        for _month in range(_MONTHS_LOOKED_THROUGH):
            following = _next_month(month)
            from_ = max(after, _midnight(month, choice.zone))
            found = await _slots(session, choice, from_, _midnight(following, choice.zone), viewer=viewer)
            if found:
                return found[0]
            if from_ > clock.now() + timedelta(days=choice.offer.type.horizon_days + 2):
                break
            month = following
        return None
    return await next_free(
        session,
        choice.offer.type,
        **choice.asked,
        after=after,
        student_id=viewer.id if viewer else None,
    )


def _take(choice: Choice, slot: SlotView) -> dict[str, str]:
    """Return the way to confirm a time at once."""
    near = formatting.day_near(slot.starts_at, choice.zone)
    place = next(
        (place for place in choice.offer.places if slot.location and place.id == slot.location.id), None
    )
    return {
        "text": f"{near}, {formatting.time(slot.starts_at, choice.zone)}",
        "href": choice.href(time=slot.starts_at, place=place),
    }


def _link(choice: Choice, slot: SlotView) -> dict[str, str]:
    near = formatting.day_near(slot.starts_at, choice.zone)
    return {
        "text": f"{near}, {formatting.time(slot.starts_at, choice.zone)}",
        "href": choice.href(day=formatting.local(slot.starts_at, choice.zone).date()),
    }


def _weeks(
    choice: Choice, month: date, by_day: dict[date, list[SlotView]], *, day: date | None, today: date
) -> list[list[dict[str, Any]]]:
    start = month - timedelta(days=month.weekday())
    days: list[dict[str, Any]] = []
    while start < _next_month(month) or len(days) % 7:
        free = len(by_day.get(start, ()))
        words = ngettext("1 free time", "{count} free times", free).format(count=free)
        if not free:
            words = _("no free times")
        days.append(
            {
                "number": start.day,
                "outside": start.month != month.month,
                "today": start == today,
                "current": start == day,
                "label": _("{day}, {words}").format(day=formatting.day_long(start), words=words),
                "href": choice.href(day=start) if free else None,
            }
        )
        start += timedelta(days=1)
    weeks = [days[index : index + 7] for index in range(0, len(days), 7)]
    # Weeks that are over only push the times down a phone's screen.
    over = (today - (month - timedelta(days=month.weekday()))).days // 7
    return weeks[min(max(over, 0), len(weeks) - 1) :]


def _groups(choice: Choice, slots: Sequence[SlotView]) -> list[dict[str, Any]]:
    parts: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    places = {place.id: place for place in choice.offer.places}
    several = _only_place(slots) is None
    for slot in slots:
        part = parts[part_of(formatting.local(slot.starts_at, choice.zone).hour)]
        notes = [
            slot.instructors[0].name if choice.offer.is_class and choice.teacher is None else None,
            slot.location.name if slot.location and choice.place is None and several else None,
            _seats(slot),
            choice.clocks.elsewhere(slot.starts_at),
        ]
        part.append(
            {
                "time": formatting.time(slot.starts_at, choice.zone),
                "href": choice.href(
                    time=slot.starts_at, place=places.get(slot.location.id) if slot.location else None
                ),
                "note": ", ".join(note for note in notes if note) or None,
            }
        )
    words = part_words()
    icons = {"morning": "sun", "afternoon": "clock", "evening": "moon"}
    return [{"label": words[part], "icon": icons[part], "slots": of_it} for part, of_it in parts.items()]


def part_words() -> dict[str, str]:
    """Return the times of day in words."""
    return {"morning": _("Morning"), "afternoon": _("Afternoon"), "evening": _("Evening")}


def _seats(slot: SlotView) -> str | None:
    if slot.seats_left is None:
        return None
    return ngettext("1 seat left", "{count} seats left", slot.seats_left).format(count=slot.seats_left)


def _only_place(slots: Sequence[SlotView | Alternative]) -> str | None:
    names = {slot.location.name if slot.location else None for slot in slots}
    return names.pop() if len(names) == 1 else None


def _midnight(day: date, zone: str) -> datetime:
    return zones.to_datetime(zones.opening(zone, day.toordinal(), 0))


def _next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def _previous_month(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)
