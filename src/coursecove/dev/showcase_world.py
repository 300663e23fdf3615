"""What the demo shows beside the schools' catalogues: rooms, classes, questions, closures, a week that was.

The tests' world does without it; :mod:`coursecove.dev.showcase` loads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """What students are asked when they book."""

    kind: str
    label: str
    required: bool = False
    options: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Show:
    """An appointment type that shows something a plain lesson does not; people by e-mail, places by name."""

    name: str
    description: str
    color: str
    duration_minutes: int
    price_cents: int | None
    taught_by: tuple[str, ...]
    places: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    rules: dict[str, Any] = field(default_factory=dict)
    # e-mail → days until the last day of that person's qualification
    expires_in: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClassTimes:
    """A class every week from the last week on: an ISO weekday and a wall-clock time; who sits in each."""

    name: str
    teacher: str
    place: str
    weekday: int
    at: str
    weeks: int
    students: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """A private lesson at the n-th free time, some days from now (or ago); past ones with what came of it."""

    student: str
    name: str
    teacher: str
    days: int
    nth: int = 0
    minutes: int | None = None
    answers: tuple[str, ...] = ()
    address: str = ""
    postcode: str = ""
    attendance: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """A closure: of every year from a day of this one, or once in so many days; of one place or of all."""

    name: str
    month_day: tuple[int, int] | None = None
    in_days: int = 0
    days: int = 1
    place: str = ""


@dataclass(frozen=True, slots=True)
class Showcase:
    """All of it, of one school."""

    slug: str
    # place → ((room, students), …)
    rooms: dict[str, tuple[tuple[str, int], ...]]
    # place → (weekdays, from, to)
    opening: dict[str, tuple[tuple[int, ...], str, str]]
    # (zone, prefixes, minutes)
    zones: tuple[tuple[str, tuple[str, ...], int], ...]
    shows: tuple[Show, ...]
    closed: tuple[Closed, ...]
    # (who, in days, from, to, why)
    away: tuple[tuple[str, int, str, str, str], ...]
    classes: tuple[ClassTimes, ...]
    lessons: tuple[Booked, ...]


_WORKDAYS = (1, 2, 3, 4, 5, 6)
_PIECE = Question("short_text", "Which piece are you preparing?", required=True)
_IDA, _TOMAS = "ida@harmony.example", "tomas@harmony.example"
_MIA, _LEO, _PRIYA = "mia@example.com", "leo@example.com", "priya@example.com"
_JUN, _SOFIA = "jun@stillwater.example", "sofia@example.com"
_ELENA, _SAM = "elena@brightside.example", "sam@example.com"

HARMONY = Showcase(
    "musicschool",
    {
        "Studio Linden": (("Grand piano room", 2), ("String room", 2)),
        "Kreuzberg Hall": (("Stage", 16), ("Back room", 3)),
    },
    {"Studio Linden": (_WORKDAYS, "08:00", "21:00"), "Kreuzberg Hall": (_WORKDAYS, "09:00", "22:00")},
    (("Kreuzberg and Mitte", ("101", "109"), 15), ("Further out", ("12", "13", "14"), 40)),
    (
        Show(
            "Choir evening",
            "Four voices, no auditions, songs from five centuries. Come when you can.",
            "#7c3aed",
            90,
            1200,
            (_TOMAS,),
            ("Kreuzberg Hall",),
            rules={"kind": "class", "capacity": 14, "cancellation_notice_minutes": 120},
        ),
        Show(
            "Songwriting",
            "From a line you cannot forget to a song with a bridge. As long as you like.",
            "#c2410c",
            45,
            4200,
            (_TOMAS,),
            ("Kreuzberg Hall",),
            (
                Question(
                    "choice",
                    "What do you bring?",
                    required=True,
                    options=("Words", "A melody", "Both", "Nothing yet"),
                ),
                Question("yes_no", "May we record it?", hint="For you to take home."),
            ),
            {"further_durations_minutes": [30, 90], "buffer_after_minutes": 10},
        ),
        Show(
            "Audition coaching",
            "The hour before it counts: programme, nerves and entrances.",
            "#be123c",
            60,
            7000,
            (_IDA,),
            ("Studio Linden",),
            (_PIECE, Question("short_text", "When is the audition?")),
            {"requires_approval": True, "minimum_notice_minutes": 1440, "week_limit": 4},
            {_IDA: 24},
        ),
        Show(
            "Piano at your home",
            "At your own instrument, in your own time. Ida comes to you.",
            "#0e7490",
            60,
            6500,
            (_IDA,),
            rules={"location_mode": "students_place", "start_interval_minutes": 30},
        ),
        Show(
            "Practice hour for members",
            "An hour at the grand piano between lessons, with somebody next door to ask.",
            "#4d7c0f",
            60,
            800,
            (_IDA,),
            ("Studio Linden",),
            rules={"visibility": "members", "student_week_limit": 2},
        ),
    ),
    (
        Closed("Christmas break", month_day=(12, 24), days=9),
        Closed("The hall gets a new floor", in_days=24, days=2, place="Kreuzberg Hall"),
    ),
    ((_IDA, 16, "12:00", "20:00", "Concert in Leipzig"),),
    (ClassTimes("Choir evening", _TOMAS, "Kreuzberg Hall", 3, "18:30", 8, (_MIA, _LEO, _PRIYA)),),
    (
        Booked(_MIA, "Piano lesson", _IDA, -7, 1, attendance="present", note="The Satie is ready to be heard."),
        Booked(_LEO, "Guitar lesson", _TOMAS, -6, 3, attendance="late"),
        Booked(_PRIYA, "Violin lesson", _IDA, -5, 2, attendance="present", note="New strings next time!"),
        Booked(_LEO, "Songwriting", _TOMAS, -4, 2, 45, ("A melody", "yes"), attendance="absent"),
        Booked(_LEO, "Songwriting", _TOMAS, 4, 4, 90, ("Both",)),
        Booked(_MIA, "Audition coaching", _IDA, 4, 1, answers=("Gymnopédie No. 1", "In January")),
        Booked(_PRIYA, "Piano at your home", _IDA, 5, 6, address="Bergstraße 9, Berlin", postcode="10115"),
        Booked(_MIA, "Practice hour for members", _IDA, 6, 3),
    ),
)
STILLWATER = Showcase(
    "yoga",
    {"The Loft": (("Main floor", 16), ("Quiet corner", 2))},
    {"The Loft": (_WORKDAYS, "06:30", "21:30")},
    (("North Brooklyn", ("11211", "11222", "11249"), 20), ("Manhattan", ("100",), 35)),
    (
        Show(
            "Morning flow",
            "Sun salutations with coffee to follow. All levels, twelve mats.",
            "#b45309",
            60,
            2200,
            (_JUN,),
            ("The Loft",),
            rules={"kind": "class", "capacity": 12, "cancellation_notice_minutes": 180},
        ),
        Show(
            "Prenatal yoga",
            "Gentle, one to one, from week twelve on.",
            "#be185d",
            45,
            8000,
            (_JUN,),
            ("The Loft",),
            (
                Question("short_text", "Which week are you in?", required=True),
                Question("long_text", "Anything your midwife said?"),
            ),
            {"further_durations_minutes": [60], "requires_approval": True},
            {_JUN: 27},
        ),
        Show(
            "Yoga in your living room",
            "Jun brings the mats. You push the sofa aside.",
            "#1d4ed8",
            60,
            13000,
            (_JUN,),
            rules={"location_mode": "students_place", "start_interval_minutes": 30},
        ),
        Show(
            "Check-in for members",
            "Ten minutes on how the practice is going.",
            "#57534e",
            10,
            0,
            (_JUN,),
            rules={"location_mode": "online", "visibility": "members", "start_interval_minutes": 30},
        ),
    ),
    (Closed("New Year’s Day", month_day=(1, 1)), Closed("Boiler service", in_days=18, place="The Loft")),
    ((_JUN, 12, "07:00", "11:00", "Dentist"),),
    (ClassTimes("Morning flow", _JUN, "The Loft", 2, "08:00", 8, (_SOFIA, _PRIYA)),),
    (
        Booked(
            _SOFIA, "Private yoga session", _JUN, -6, 2, attendance="present", note="The knee likes the blocks."
        ),
        Booked(_PRIYA, "Breathing at your desk", _JUN, -4, 3, attendance="present"),
        Booked(_PRIYA, "Prenatal yoga", _JUN, 3, 2, 60, ("Week 16",)),
        Booked(_SOFIA, "Yoga in your living room", _JUN, 5, 3, address="52 Kent Avenue", postcode="11249"),
    ),
)
BRIGHTSIDE = Showcase(
    "tutoring",
    {"Brightside Centre": (("Classroom 1", 24), ("Desk by the window", 1), ("Desk by the door", 1))},
    {"Brightside Centre": (_WORKDAYS, "09:00", "21:00")},
    (("Central Bengaluru", ("560001", "560025"), 20), ("Outer Bengaluru", ("56006", "56007"), 45)),
    (
        Show(
            "Board exam crash course",
            "Every Saturday: last year’s papers against the clock, then every mistake on the board.",
            "#be123c",
            120,
            60000,
            (_ELENA,),
            ("Brightside Centre",),
            rules={"kind": "class", "capacity": 20},
        ),
        Show(
            "Doubt session",
            "Bring one problem and leave without it.",
            "#4338ca",
            30,
            45000,
            (_ELENA,),
            ("Brightside Centre",),
            (Question("short_text", "Which chapter?", required=True),),
            {"further_durations_minutes": [60]},
        ),
        Show(
            "Entrance exam mentoring",
            "A plan for the year, looked at again each month.",
            "#0f766e",
            60,
            120000,
            (_ELENA,),
            ("Brightside Centre",),
            (
                Question("choice", "Which exam?", required=True, options=("JEE", "NEET", "Another")),
                Question("yes_no", "Have you sat it before?"),
            ),
            {"requires_approval": True},
            {_ELENA: 21},
        ),
        Show(
            "Maths at your home",
            "Elena comes to your table.",
            "#0369a1",
            60,
            110000,
            (_ELENA,),
            rules={"location_mode": "students_place", "start_interval_minutes": 30},
        ),
        Show(
            "Revision hour for members",
            "Before a test, for those who come every week.",
            "#57534e",
            60,
            40000,
            (_ELENA,),
            rules={"location_mode": "online", "visibility": "members"},
        ),
    ),
    (Closed("Republic Day", month_day=(1, 26)), Closed("Power cut announced", in_days=20)),
    ((_ELENA, 14, "14:00", "20:00", "Wedding in Mysuru"),),
    (ClassTimes("Board exam crash course", _ELENA, "Brightside Centre", 6, "16:00", 6, (_SAM,)),),
    (
        Booked(_SAM, "Maths tutoring", _ELENA, -5, 2, attendance="present", note="Square completed."),
        Booked(_SAM, "Physics online", _ELENA, -3, 3, attendance="late"),
        Booked(_SAM, "Maths at your home", _ELENA, 6, 3, address="4 Lavelle Road", postcode="560001"),
        Booked(_SAM, "Doubt session", _ELENA, 3, 4, 30, ("Rotational motion",)),
        Booked(_SAM, "Entrance exam mentoring", _ELENA, 5, 1, answers=("JEE", "no")),
    ),
)
SHOWCASES: dict[str, Showcase] = {show.slug: show for show in (HARMONY, STILLWATER, BRIGHTSIDE)}
