"""The demo world: three schools with character and the people in them.

The same names, the same ids and the same roles in the demo, the tests and the screenshots.
"""

from __future__ import annotations

from dataclasses import dataclass

ADMIN = "org:admin"
INSTRUCTOR = "org:instructor"
MEMBER = "org:member"

#: What a role is called on a page.
ROLE_WORDS = {ADMIN: "Admin", INSTRUCTOR: "Instructor", MEMBER: "Student"}


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A person of the demo world; the address is also how ``coursecove dev token`` finds them."""

    clerk_id: str
    given_name: str
    family_name: str
    email: str


@dataclass(frozen=True, slots=True)
class DemoSchool:
    """A school of the demo world.  The first person of ``people`` founded it.

    Time zone, currency and colour are not Clerk's business: they are here for
    whoever sets the school up inside the product.
    """

    clerk_id: str
    slug: str
    name: str
    time_zone: str
    currency: str
    accent_color: str
    people: tuple[tuple[DemoPerson, str], ...]


CLARA = DemoPerson("user_2HarmonyClaraWeiss", "Clara", "Weiss", "clara@harmony.example")
IDA = DemoPerson("user_2HarmonyIdaBerg", "Ida", "Berg", "ida@harmony.example")
TOMAS = DemoPerson("user_2HarmonyTomasRey", "Tomás", "Rey", "tomas@harmony.example")
MIA = DemoPerson("user_2StudentMiaOkafor", "Mia", "Okafor", "mia@example.com")
LEO = DemoPerson("user_2StudentLeoLindqvist", "Leo", "Lindqvist", "leo@example.com")
PRIYA = DemoPerson("user_2StudentPriyaNair", "Priya", "Nair", "priya@example.com")
NOOR = DemoPerson("user_2StillwaterNoorHaddad", "Noor", "Haddad", "noor@stillwater.example")
JUN = DemoPerson("user_2StillwaterJunTanaka", "Jun", "Tanaka", "jun@stillwater.example")
SOFIA = DemoPerson("user_2StudentSofiaMarino", "Sofia", "Marino", "sofia@example.com")
ARJUN = DemoPerson("user_2BrightsideArjunMehta", "Arjun", "Mehta", "arjun@brightside.example")
ELENA = DemoPerson("user_2BrightsideElenaPetrova", "Elena", "Petrova", "elena@brightside.example")
# Runs the platform and belongs to no school.
OLIVIA = DemoPerson("user_2PlatformOliviaPark", "Olivia", "Park", "olivia@coursecove.example")
SAM = DemoPerson("user_2StudentSamCarter", "Sam", "Carter", "sam@example.com")

MUSIC_SCHOOL = DemoSchool(
    "org_2HarmonyMusicSchool",
    "musicschool",
    "Harmony Music School",
    "Europe/Berlin",
    "EUR",
    "#4f46e5",
    (
        (CLARA, ADMIN),
        (IDA, INSTRUCTOR),
        (TOMAS, INSTRUCTOR),
        (MIA, MEMBER),
        (LEO, MEMBER),
        (PRIYA, MEMBER),
    ),
)
YOGA = DemoSchool(
    "org_2StillwaterYoga",
    "yoga",
    "Stillwater Yoga",
    "America/New_York",
    "USD",
    "#0f766e",
    ((NOOR, ADMIN), (JUN, INSTRUCTOR), (SOFIA, MEMBER), (PRIYA, MEMBER)),
)
TUTORING = DemoSchool(
    "org_2BrightsideTutoring",
    "tutoring",
    "Brightside Tutoring",
    "Asia/Kolkata",
    "INR",
    "#b45309",
    ((ARJUN, ADMIN), (ELENA, INSTRUCTOR), (SAM, MEMBER)),
)

SCHOOLS: tuple[DemoSchool, ...] = (MUSIC_SCHOOL, YOGA, TUTORING)
PEOPLE: tuple[DemoPerson, ...] = tuple(
    dict.fromkeys([*(person for school in SCHOOLS for person, _ in school.people), OLIVIA])
)
