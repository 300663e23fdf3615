"""Who changed what, when, from what to what: in words, for admins, and for good."""

from __future__ import annotations

import ast
import json
import re
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy import event

from coursecove.appointments.schemas import AppointmentTypeUpdate, LocationUpdate, RoomUpdate, TravelZoneUpdate
from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.portals.activity import entries_of, history_of
from coursecove.portals.activity.sentences import SENTENCES
from coursecove.portals.activity.values import LABELS
from coursecove.scheduling.schemas import ClosureUpdate
from coursecove.tenants.activity import FactFilter, list_facts
from coursecove.tenants.schemas import InstructorProfileUpdate, OrganizationUpdate
from tests.conftest import ClientFor
from tests.factories.world import ENTER, School
from tests.patience import patience
from tests.portals.admin_pages import fields, fill_in
from tests.portals.reading import RAW_ID, links, text_of
from tests.serving import Loop

ACTIVITY = "/admin/activity"
ROOMS = ("appointments", "bookings", "scheduling", "tenants", "portals", "notifications")
NOUNS = "|".join(sorted({action.partition(".")[0] for action in SENTENCES}))
ACTION = re.compile(rf"^({NOUNS})\.[a-z_]+$")
#: What rooms call the function that writes a fact; through it a noun is found that no sentence has yet.
TRACKING = re.compile(r"^_?(track|note|record)(_\w+)?$")


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def _called(call: ast.Call) -> str:
    return str(getattr(call.func, "id", None) or getattr(call.func, "attr", ""))


def tracked_actions() -> Iterator[tuple[str, str]]:
    """Yield every action that the code tracks, and where."""
    source = Path(__file__).resolve().parents[2] / "src/coursecove"
    for room in ROOMS:
        for path in sorted((source / room).rglob("*.py")):
            name = path.relative_to(source).as_posix()
            if "inbound" in name or "portals/activity" in name:
                # Events of Clerk, and the sentences themselves.
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and TRACKING.match(_called(node)):
                    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                        value = getattr(argument, "value", None)
                        if isinstance(value, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", value):
                            yield value, name
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and ACTION.match(node.value):
                    yield node.value, name
                if isinstance(node, ast.Constant) and node.value in (
                    "note_added",
                    "note_changed",
                    "note_deleted",
                ):
                    yield f"booking.{node.value}", name


def test_every_action_of_the_product_has_a_sentence() -> None:
    found = list(tracked_actions())
    assert len({action for action, _ in found}) > 30, "the search finds nothing"
    # One that only the call to the function that writes it gives away.
    assert "calendar_feed.opened" in {action for action, _ in found}
    without = sorted({f"{action} ({name})" for action, name in found if action not in SENTENCES})
    assert not without, without


@pytest.mark.parametrize(
    "form",
    [
        AppointmentTypeUpdate,
        LocationUpdate,
        RoomUpdate,
        TravelZoneUpdate,
        ClosureUpdate,
        InstructorProfileUpdate,
        OrganizationUpdate,
    ],
)
def test_every_field_that_can_be_changed_has_a_name(form: type) -> None:
    assert not [name for name in form.__struct_fields__ if name not in LABELS]  # type: ignore[attr-defined]


def test_a_change_is_said_with_both_values_in_words(clara: httpx.Client) -> None:
    path = "/admin/locations/kreuzberg-hall"
    fill_in(clara, path, time_zone=["Europe/Berlin"], directions=["Left."])
    assert fill_in(clara, path, time_zone=["America/New_York"], directions=["Right."]).status_code == 303
    page = clara.get(ACTIVITY)
    text = text_of(page)
    assert "Clara Weiss changed the location “Kreuzberg Hall” Directions: before Left. → , now Right." in text
    assert "Time zone: before Berlin → , now New York" in text
    assert links(page, "^/admin/locations/kreuzberg-hall$")


def test_the_whole_log_shows_no_id_and_no_json(clara: httpx.Client, musicschool: School) -> None:
    for number in range(1, 20):
        page = clara.get(ACTIVITY, params={"page": number})
        body = page.text.partition("<main")[2].partition("</main>")[0]
        shown = text_of(httpx.Response(200, text=body))
        assert not RAW_ID.search(shown)
        assert not re.search(r"[{}]|_minutes|_cents|_ids?\b|\bNone\b|\bTrue\b", shown), shown
        if f"page={number + 1}" not in page.text:
            break


@pytest.mark.parametrize(
    ("query", "present", "absent"),
    [
        ({"kind": "places"}, "the location", "appointment type"),
        ({"kind": "types"}, "added “Piano lesson”", "the location"),
        ({"q": "kreuzberg"}, "added the location “Kreuzberg Hall”", "added the location “Studio Linden”"),
        # A lesson that takes place there is found by the name of the place, too.
        ({"q": "kreuzberg"}, "booked “Piano lesson”", "added “Piano lesson”"),
        ({"q": "clara nothing-of-the-kind"}, "Nothing found", "Kreuzberg"),
        ({"from": "2001-01-01", "until": "2001-12-31"}, "Nothing found", "Kreuzberg"),
        ({"person": "nobody-aaaaaaaa"}, "Nothing found", "Kreuzberg"),
        ({"kind": "everything-else"}, "Nothing found", "Kreuzberg"),
    ],
)
def test_the_log_can_be_narrowed(clara: httpx.Client, query: dict[str, str], present: str, absent: str) -> None:
    page = clara.get(ACTIVITY, params=query)
    text = text_of(httpx.Response(200, text=page.text.partition("</form>")[2].partition("</main>")[0]))
    main = page.text.partition("<main")[2].partition("</main>")[0]
    listed = text_of(httpx.Response(200, text=main.partition("</form>")[2]))
    assert page.status_code == 200
    assert present in listed, text
    assert absent not in listed


def test_the_log_of_a_person_is_what_they_did_and_what_was_done_about_them(clara: httpx.Client) -> None:
    person = next(href for href in links(clara.get("/admin/people"), "^/admin/people/ida-berg"))
    page = clara.get(ACTIVITY, params={"person": person.rpartition("/")[2]})
    text = text_of(page)
    assert "Ida Berg" in text
    assert "the location" not in text.partition("Nobody can change")[2].partition("Clear")[2]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": "soon"}, "Enter a day such as 2026-12-03."),
        ({"until": "9999-01-01"}, "Enter a day such as 2026-12-03."),
        ({"from": "2026-02-01", "until": "2026-01-01"}, "This is before the first day."),
    ],
)
def test_a_wrong_day_is_said_beside_its_field(clara: httpx.Client, query: dict[str, str], message: str) -> None:
    page = clara.get(ACTIVITY, params=query)
    assert page.status_code == 422
    assert message in text_of(page)
    assert fields(page, ACTIVITY).items() >= {name: [value] for name, value in query.items()}.items() or all(
        f'value="{value}"' in page.text for value in query.values()
    )


def test_the_log_belongs_to_admins(client: ClientFor) -> None:
    assert client("musicschool", "ida@harmony.example", cookie=True).get(ACTIVITY).status_code == 403
    assert client("musicschool", "mia@example.com", cookie=True).get(ACTIVITY).status_code == 403


def test_nobody_can_change_what_stands_in_the_log(settings: Settings, musicschool: School) -> None:
    """The control: the same role notes an attempt on it, so the row is in reach, and the grant is not."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(musicschool.organization_id)])
        row = connection.execute("select id from events limit 1").fetchone()
        assert row is not None
        marked = connection.execute("update events set attempts = attempts where id = %s", [row[0]])
        assert marked.rowcount == 1
        for statement in (
            "update events set action = 'x.y' where id = %s",
            "update events set data = '{}' where id = %s",
            "update events set actor_id = null where id = %s",
            "update events set created_at = now() where id = %s",
            "delete from events where id = %s",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement, [row[0]])


def test_history_of_one_thing_is_about_that_thing(
    loop: Loop, database: Database, clara: httpx.Client, musicschool: School
) -> None:
    fill_in(clara, "/admin/locations/kreuzberg-hall", address=["Bergmannstr. 1"])

    async def read() -> list[str]:
        async with database.organization(musicschool.organization_id, acting=SYSTEM) as session:
            entries = await history_of(session, "location", musicschool.locations["Kreuzberg Hall"])
            return [entry.text for entry in entries]

    history = loop.run(read())
    assert history[0] == "Clara Weiss changed the location “Kreuzberg Hall”"
    assert history[-1] == "Clara Weiss added the location “Kreuzberg Hall”"
    assert all("Kreuzberg Hall" in text for text in history)


TYPE, SCHOOL = "appointment_type.changed", "organization.changed"
MORNING = {"weekday": 1, "starts_minute": 540, "ends_minute": 720, "location_id": None}
VALUES: list[tuple[str, str, object, object, str, str, str]] = [
    (TYPE, "duration_minutes", 30, 90, "Duration", "30 min", "1 h 30 min"),
    (TYPE, "price_cents", None, 4550, "Price", "none", "€45.50"),
    (TYPE, "minimum_notice_minutes", 2880, 120, "Minimum notice", "2 days", "2 hours"),
    (TYPE, "visibility", "public", "link", "Visible to", "Everybody", "Whoever has the link"),
    (TYPE, "horizon_days", 1, 60, "Booking horizon", "1 day", "60 days"),
    (TYPE, "bookable_until", None, "2026-12-03", "Bookable until", "none", "3 Dec 2026"),
    (TYPE, "requires_approval", False, True, "Approval needed", "no", "yes"),
    ("member.role_changed", "role", "student", "admin", "Role", "Student", "Admin"),
    ("instructor.hours_changed", "weekly_hours", [], [MORNING], "Weekly hours", "none", "Mon 09:00–12:00"),
    (SCHOOL, "locale", "en", "de", "Language", "English", "Deutsch"),
    (SCHOOL, "unthought_of", {"a": [1]}, [{"b": 2}, {"c": 3}], "Unthought of", "something else", "2 entries"),
]


@pytest.mark.parametrize(("action", "field", "before", "after", "label", "was", "now"), VALUES)
def test_values_are_in_peoples_words(
    loop: Loop,
    database: Database,
    settings: Settings,
    musicschool: School,
    action: str,
    field: str,
    before: object,
    after: object,
    label: str,
    was: str,
    now: str,
) -> None:
    subject = uuid.uuid4()
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(musicschool.organization_id)])
        connection.execute(
            "insert into events (organization_id, action, subject_type, subject_id, data, dispatched_at) "
            "values (%s, %s, 'thing', %s, %s, now())",
            [musicschool.organization_id, action, subject, json.dumps({field: {"from": before, "to": after}})],
        )

    async def read() -> tuple[str, str | None, str]:
        async with database.organization(musicschool.organization_id, acting=SYSTEM) as session:
            [entry] = await history_of(session, "thing", subject)
            [line] = entry.lines
            return line.label, line.was, line.now

    assert loop.run(read()) == (label, was, now)


def test_five_thousand_facts_cost_no_more_queries_than_fifty(
    loop: Loop, database: Database, settings: Settings, musicschool: School, clara: httpx.Client
) -> None:
    async def count() -> int:
        statements: list[str] = []

        def note(*arguments: object) -> None:
            statements.append(str(arguments[2]))

        async with database.organization(musicschool.organization_id, acting=SYSTEM) as session:
            connection = await session.connection()
            engine = connection.engine.sync_engine
            event.listen(engine, "before_cursor_execute", note)
            try:
                found = await list_facts(session, FactFilter(search="matrix"), page=2)
                await entries_of(session, found.items)
            finally:
                event.remove(engine, "before_cursor_execute", note)
        assert len(found.items) == 50
        return len(statements)

    def add(number: int) -> None:
        with psycopg.connect(settings.database_url) as connection:
            connection.execute(ENTER, [str(musicschool.organization_id)])
            connection.execute(
                "insert into events (organization_id, action, actor_id, subject_type, subject_id, data, "
                "dispatched_at, created_at) select %s, 'booking.cancelled', %s, 'booking', gen_random_uuid(), "
                "jsonb_build_object('student_id', %s::text, 'reason', 'of the matrix'), now(), "
                "now() - make_interval(mins => n) from generate_series(1, %s) n",
                [
                    musicschool.organization_id,
                    musicschool.members["clara@harmony.example"],
                    str(musicschool.members["mia@example.com"]),
                    number,
                ],
            )

    add(100)
    few = loop.run(count())
    add(5000)
    assert loop.run(count()) == few
    page = clara.get(ACTIVITY, params={"q": "matrix"})
    assert "1 to 50 of 5,100" in text_of(page)
    assert page.elapsed.total_seconds() < patience(2)


def test_the_log_speaks_german(clara: httpx.Client) -> None:
    page = clara.get(ACTIVITY, headers={"Accept-Language": "de"})
    assert "hat den Ort „Kreuzberg Hall“ geändert" in text_of(page)
    assert date.today().strftime("%Y") in text_of(page)
