"""What the demo schools offer, loaded through the API as their own admins and students would.

Nothing here writes to a table: the people came in through signed webhooks, and
what they set up goes through ``/api/v1`` with their session tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from coursecove.dev.clerk.world import MUSIC_SCHOOL, TUTORING, YOGA, DemoSchool

TokenFor = Callable[[str, str], str]
"""Gives a session token for (e-mail address, school's slug)."""

_WEEKDAYS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Place:
    """A location of a demo school."""

    name: str
    address: str
    directions: str


@dataclass(frozen=True, slots=True)
class Offer:
    """An appointment type of a demo school; people are named by their e-mail address."""

    name: str
    description: str
    color: str
    duration_minutes: int
    price_cents: int
    taught_by: tuple[str, ...]
    places: tuple[str, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Teaching:
    """An instructor's profile and week: (weekdays, from, to, place or None) in the school's zone."""

    email: str
    bio: str
    meeting_url: str
    windows: tuple[tuple[tuple[int, ...], str, str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson somebody has booked: the n-th free time some days from now."""

    student: str
    offer: str
    teacher: str | None
    days_ahead: int
    nth: int
    note: str = ""
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything one demo school has set up."""

    school: DemoSchool
    places: tuple[Place, ...]
    offers: tuple[Offer, ...]
    teachings: tuple[Teaching, ...]
    lessons: tuple[Lesson, ...]


HARMONY = Catalogue(
    MUSIC_SCHOOL,
    (
        Place("Studio Linden", "Lindenstraße 14, 10969 Berlin", "Ring at “Harmony”, second floor, left door."),
        Place("Kreuzberg Hall", "Bergmannstraße 61, 10961 Berlin", "Through the courtyard, red door."),
    ),
    (
        Offer(
            "Piano lesson",
            "One to one at the grand piano. From first notes to concert pieces, for every age.",
            "#4f46e5",
            45,
            4500,
            ("ida@harmony.example", "tomas@harmony.example"),
            ("Studio Linden", "Kreuzberg Hall"),
            {"buffer_after_minutes": 15},
        ),
        Offer(
            "Violin lesson",
            "Bow, posture and a good sound from the start. Instruments to borrow are there.",
            "#be185d",
            45,
            4800,
            ("ida@harmony.example",),
            ("Studio Linden",),
            {"buffer_after_minutes": 15},
        ),
        Offer(
            "Guitar lesson",
            "Acoustic or electric: songs you like, and the theory they hide.",
            "#b45309",
            30,
            3200,
            ("tomas@harmony.example",),
            ("Kreuzberg Hall",),
            {"buffer_after_minutes": 10},
        ),
        Offer(
            "Music theory online",
            "Harmony, rhythm and ear training in a video call. For exams or out of curiosity.",
            "#0369a1",
            60,
            3900,
            ("ida@harmony.example", "tomas@harmony.example"),
            (),
            {"location_mode": "online", "start_interval_minutes": 30, "cancellation_notice_minutes": 720},
        ),
    ),
    (
        Teaching(
            "ida@harmony.example",
            "Ida plays piano and violin in the Lindberg Trio and has taught for twelve years. "
            "Patient with beginners, merciless with wrong fingerings.",
            "https://meet.example.com/ida-berg",
            (
                ((1, 2, 3, 4), "09:00", "12:30", "Studio Linden"),
                ((1, 2, 3, 4), "14:00", "19:00", "Studio Linden"),
                ((5,), "10:00", "15:00", None),
            ),
        ),
        Teaching(
            "tomas@harmony.example",
            "Tomás grew up between flamenco and church organ. Guitar, piano, and a great many songs by heart.",
            "https://meet.example.com/tomas-rey",
            (
                ((2, 3, 5), "12:00", "20:00", "Kreuzberg Hall"),
                ((4,), "12:00", "18:00", None),
                ((6,), "10:00", "14:00", "Kreuzberg Hall"),
            ),
        ),
    ),
    (
        Lesson("mia@example.com", "Piano lesson", "ida@harmony.example", 2, 1, "We left off at the Satie."),
        Lesson("mia@example.com", "Music theory online", None, 5, 2),
        Lesson("leo@example.com", "Guitar lesson", "tomas@harmony.example", 1, 3, "Bringing my own guitar."),
        Lesson("leo@example.com", "Guitar lesson", "tomas@harmony.example", 8, 3),
        Lesson("priya@example.com", "Violin lesson", "ida@harmony.example", 3, 2),
        Lesson("priya@example.com", "Piano lesson", "tomas@harmony.example", 6, 4, cancelled=True),
    ),
)
STILLWATER = Catalogue(
    YOGA,
    (Place("The Loft", "218 Water Street, Brooklyn, NY 11201", "Freight elevator to the fourth floor."),),
    (
        Offer(
            "Private yoga session",
            "An hour for your body as it is today. Mats, blocks and tea are there.",
            "#0f766e",
            60,
            9500,
            ("jun@stillwater.example",),
            ("The Loft",),
            {"buffer_before_minutes": 15, "buffer_after_minutes": 15},
        ),
        Offer(
            "Breathing at your desk",
            "Twenty-five minutes online, between two meetings.",
            "#4d7c0f",
            25,
            2800,
            ("jun@stillwater.example",),
            (),
            {"location_mode": "online", "start_interval_minutes": 30},
        ),
    ),
    (
        Teaching(
            "jun@stillwater.example",
            "Jun teaches slow yoga for stiff people. Trained in Kyoto, at home in Brooklyn.",
            "https://meet.example.com/jun-tanaka",
            ((_WEEKDAYS, "07:00", "11:00", None), (_WEEKDAYS, "16:00", "20:00", None)),
        ),
    ),
    (
        Lesson(
            "sofia@example.com", "Private yoga session", "jun@stillwater.example", 2, 2, "My left knee again."
        ),
        Lesson("priya@example.com", "Breathing at your desk", None, 4, 5),
    ),
)
BRIGHTSIDE = Catalogue(
    TUTORING,
    (
        Place(
            "Brightside Centre",
            "12 Residency Road, Bengaluru 560025",
            "First floor, above the stationery shop.",
        ),
    ),
    (
        Offer(
            "Maths tutoring",
            "Classes 8 to 12, one to one. Bring the chapter that makes you sigh.",
            "#b45309",
            60,
            90000,
            ("elena@brightside.example",),
            ("Brightside Centre",),
        ),
        Offer(
            "Physics online",
            "Problem solving on a shared whiteboard.",
            "#0369a1",
            60,
            80000,
            ("elena@brightside.example",),
            (),
            {"location_mode": "online"},
        ),
    ),
    (
        Teaching(
            "elena@brightside.example",
            "Elena explains mechanics with table-tennis balls and believes that nobody is bad at maths.",
            "https://meet.example.com/elena-petrova",
            (((1, 2, 3, 4, 5, 6), "14:00", "20:00", None),),
        ),
    ),
    (Lesson("sam@example.com", "Maths tutoring", "elena@brightside.example", 2, 2, "Quadratic equations."),),
)
CATALOGUES: tuple[Catalogue, ...] = (HARMONY, STILLWATER, BRIGHTSIDE)


class SchoolApi:
    """Calls one school's API on this machine as one person."""

    def __init__(self, *, address: str, host: str, token: Callable[[], str]) -> None:
        self._http = httpx.Client(base_url=address, timeout=30, trust_env=False)
        self._host = host
        self._token = token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the decoded answer; raises RuntimeError with the problem when it is refused."""
        response = self._http.request(
            method,
            f"/api/v1{path}",
            json=body,
            headers={"Host": self._host, "Authorization": f"Bearer {self._token()}"},
        )
        if response.is_error:
            raise RuntimeError(f"{method} {path} was answered {response.status_code}: {response.text[:500]}")
        return response.json()


def load(catalogue: Catalogue, *, address: str, base_host: str, token_for: TokenFor) -> int:
    """Set one school up and book its lessons; return how many lessons there are.

    ``address`` is where the web process listens, ``base_host`` the bare domain
    with its port.  What an interrupted start has left is found by its name and
    kept.
    """
    school = catalogue.school

    def api(email: str) -> SchoolApi:
        return SchoolApi(
            address=address,
            host=f"{school.slug}.{base_host}",
            token=lambda: token_for(email, school.slug),
        )

    admin = api(school.people[0][0].email)
    admin.call(
        "PATCH",
        "/organization",
        {"time_zone": school.time_zone, "currency": school.currency, "accent_color": school.accent_color},
    )
    people = {m["email"]: m["id"] for m in admin.call("GET", "/members?page_size=200")["items"]}
    places = {place["name"]: place["id"] for place in admin.call("GET", "/locations")["items"]}
    places |= {
        place.name: admin.call(
            "POST",
            "/locations",
            {"name": place.name, "address": place.address, "directions": place.directions},
        )["id"]
        for place in catalogue.places
        if place.name not in places
    }
    types = {offer["name"]: offer["id"] for offer in admin.call("GET", "/appointment-types")["items"]}
    types |= {
        offer.name: admin.call(
            "POST",
            "/appointment-types",
            {
                "name": offer.name,
                "description": offer.description,
                "color": offer.color,
                "duration_minutes": offer.duration_minutes,
                "price_cents": offer.price_cents,
                "location_ids": [places[name] for name in offer.places],
                "instructor_ids": [people[email] for email in offer.taught_by],
                **offer.rules,
            },
        )["id"]
        for offer in catalogue.offers
        if offer.name not in types
    }
    for teaching in catalogue.teachings:
        admin.call(
            "PATCH",
            f"/instructors/{people[teaching.email]}",
            {"bio": teaching.bio, "meeting_url": teaching.meeting_url, "time_zone": school.time_zone},
        )
        windows = [
            {
                "weekday": weekday,
                "starts_minute": _minutes(start),
                "ends_minute": _minutes(end),
                "location_id": places[place] if place else None,
            }
            for weekdays, start, end, place in teaching.windows
            for weekday in weekdays
        ]
        admin.call("PUT", f"/instructors/{people[teaching.email]}/weekly-hours", {"windows": windows})
    booked = admin.call("GET", "/bookings?page_size=1")["total"]
    for lesson in catalogue.lessons[booked:]:
        _book(api(lesson.student), lesson, types[lesson.offer], people)
    return len(catalogue.lessons)


def _book(student: SchoolApi, lesson: Lesson, type_id: str, people: dict[str, str]) -> None:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start += timedelta(days=lesson.days_ahead)
    query = {
        "appointment_type_id": type_id,
        "from": start.isoformat(),
        "until": (start + timedelta(days=7)).isoformat(),
    }
    if lesson.teacher:
        query["instructor_id"] = people[lesson.teacher]
    slots = student.call("GET", f"/availability?{httpx.QueryParams(query)}")["items"]
    booking = student.call(
        "POST",
        "/bookings",
        {
            "appointment_type_id": type_id,
            "starts_at": slots[lesson.nth]["starts_at"],
            "instructor_id": people[lesson.teacher] if lesson.teacher else None,
            "note": lesson.note,
        },
    )
    if lesson.cancelled:
        student.call("POST", f"/bookings/{booking['id']}/cancellation", {"reason": "Down with a cold, sorry!"})


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
