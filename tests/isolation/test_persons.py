"""Inside one school the database keeps people from each other: every personal table × everybody × every verb.

Who may see a row is worked out here from the rows themselves, read above all
policies, and compared with what the application role is given.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.databases import as_superuser
from tests.isolation.tally import count

Row = dict[str, Any]
Around = dict[str, dict[uuid.UUID, Row]]
Sees = Callable[["Person", Row, Around], bool]

PEOPLE = {
    "visitor": None,
    "mia": "mia@example.com",
    "leo": "leo@example.com",
    "ida": "ida@harmony.example",
    "tomas": "tomas@harmony.example",
    "clara": "clara@harmony.example",
}


@dataclass(frozen=True)
class Person:
    """Somebody a unit of work acts for."""

    name: str
    member_id: uuid.UUID | None
    role: str


def _booking(who: Person, row: Row, around: Around) -> bool:
    taught_by = around["sessions"][row["session_id"]]["instructor_id"]
    teaches = who.role == "instructor" and taught_by == who.member_id
    booked = who.member_id is not None and who.member_id == row["booked_by_id"]
    return who.role in ("admin", "system") or _own(who, row["student_id"], around) or booked or teaches


def _own(who: Person, member_id: uuid.UUID, around: Around) -> bool:
    """Say whether somebody is meant themselves, or is the guardian."""
    guardian_id = around["members"][member_id]["guardian_id"]
    return who.member_id is not None and who.member_id in (member_id, guardian_id)


def _series(who: Person, row: Row, around: Around) -> bool:
    own = _own(who, row["student_id"], around) or who.member_id == row["instructor_id"]
    return who.role in ("admin", "system") or own


def _waiting(who: Person, row: Row, around: Around) -> bool:
    taught_by = around["sessions"][row["session_id"]]["instructor_id"]
    teaches = who.role == "instructor" and taught_by == who.member_id
    return who.role in ("admin", "system") or _own(who, row["student_id"], around) or teaches


def _note(who: Person, row: Row, around: Around) -> bool:
    booking = around["bookings"][row["booking_id"]]
    if who.role == "instructor" and (who.member_id == row["author_id"] or _booking(who, booking, around)):
        return True
    shared = bool(row["shared_at"]) and _own(who, booking["student_id"], around)
    return who.role in ("admin", "system") or shared


def _member(who: Person, row: Row, _: Around) -> bool:
    return (
        who.role in ("admin", "instructor", "system")
        or row["role"] in ("admin", "instructor")
        or (who.member_id is not None and who.member_id in (row["id"], row["guardian_id"]))
    )


RULES: dict[str, Sees] = {
    "bookings": _booking,
    "members": _member,
    "deliveries": lambda who, row, _: who.role in ("admin", "system"),
    "events": lambda who, row, _: who.role in ("admin", "system") or row["actor_id"] == who.member_id,
    "lesson_notes": _note,
    "imports": lambda who, row, _: who.role in ("admin", "system"),
    "idempotency_keys": lambda who, row, _: who.role == "system" or row["member_id"] == who.member_id,
    "series": _series,
    "waitlist_entries": _waiting,
    "preferences": lambda who, row, _: who.role == "system" or row["member_id"] == who.member_id,
    "calendar_feeds": lambda who, row, _: who.role in ("admin", "system") or row["member_id"] == who.member_id,
}
IDENTITY = {"idempotency_keys": "key", "preferences": "member_id"}
#: A column the application may change.
CHANGED = {
    "members": "birth_year",
    "bookings": "revision",
    "lesson_notes": "body",
    "imports": "applied_at",
    "idempotency_keys": None,
    "series": "ended_at",
    "waitlist_entries": "ended_at",
    "preferences": "locale",
    "calendar_feeds": "revoked_at",
}

#: A lesson, a place on a waiting list, a note and a series, all of somebody's child and made by others.
A_CHILD_WITH_EVERYTHING = """
with child as (
  insert into members (organization_id, given_name, clerk_role, guardian_id, version)
  values (%(school)s, 'Child', 'none', %(guardian)s, 0) returning id
), taught as (
  select * from sessions where organization_id = %(school)s limit 1
), lesson as (
  insert into bookings (organization_id, reference, session_id, student_id, booked_by_id,
                        starts_at, ends_at, cancellation_notice_minutes)
  select %(school)s, %(reference)s, taught.id, child.id, %(clara)s, starts_at, ends_at, 0 from child, taught
  returning *
), waits as (
  insert into waitlist_entries (organization_id, session_id, student_id, joined_by_id)
  select %(school)s, session_id, student_id, %(clara)s from lesson
), told as (
  insert into lesson_notes (organization_id, booking_id, author_id, body, shared_at)
  select %(school)s, id, %(clara)s, 'A note', now() from lesson
)
insert into series (organization_id, appointment_type_id, student_id, instructor_id, time_zone, weekday,
                    starts_minute, duration_minutes, every_weeks, first_on, last_on, created_by_id)
select %(school)s, appointment_type_id, student_id, %(tomas)s, 'UTC', 1, 0, 45, 1, '2001-01-01', '2001-01-01',
       %(clara)s
from lesson, taught
"""


@pytest.fixture(scope="module")
def people(musicschool: School) -> list[Person]:
    roles = {"visitor": "", "mia": "student", "leo": "student", "ida": "instructor", "tomas": "instructor"}
    named = [
        Person(name, musicschool.members[email] if email else None, roles.get(name, "admin"))
        for name, email in PEOPLE.items()
    ]
    return [*named, Person("coursecove", None, "system")]


@pytest.fixture(scope="module", autouse=True)
def _personal_rows(postgres: EmbeddedPostgres, settings: Settings, musicschool: School) -> None:
    """A row of everybody's in the tables the demo leaves empty."""
    with as_superuser(postgres, settings) as connection:
        for email in ("mia@example.com", "ida@harmony.example"):
            member = musicschool.members[email]
            connection.execute(
                "insert into idempotency_keys (organization_id, member_id, key, fingerprint, status_code, "
                "response) values (%s, %s, 'k', 'f', 201, '')",
                [musicschool.organization_id, member],
            )
        connection.execute(
            "insert into deliveries (organization_id, kind, booking_id, booking_revision, recipient_id, "
            "recipient_email) select organization_id, 'confirmation', id, 0, student_id, 'mail@example.com' "
            "from bookings"
        )
        for shared_at in (None, "2001-01-01"):
            connection.execute(
                "insert into lesson_notes (organization_id, booking_id, author_id, body, shared_at) "
                "select organization_id, id, %s, 'A note', %s from bookings where organization_id = %s",
                [musicschool.members["tomas@harmony.example"], shared_at, musicschool.organization_id],
            )
        school, mia = musicschool.organization_id, musicschool.members["mia@example.com"]
        for guardian in ("mia@example.com", "ida@harmony.example"):
            values = {
                "school": school,
                "guardian": musicschool.members[guardian],
                "clara": musicschool.members["clara@harmony.example"],
                "tomas": musicschool.members["tomas@harmony.example"],
                "reference": "AAAA-0001" if guardian.startswith("mia") else "AAAA-0002",
            }
            connection.execute(A_CHILD_WITH_EVERYTHING, values)
        connection.execute(
            "insert into preferences (organization_id, member_id) values (%s, %s)", [school, mia]
        )
        connection.execute(
            "insert into calendar_feeds (organization_id, token_digest, kind, member_id, created_by_id) "
            "values (%s, repeat('0', 64), 'student', %s, %s)",
            [school, mia, mia],
        )
        connection.execute(
            "insert into imports (organization_id, kind, content, created_by_id) values (%s, 'people', '', %s)",
            [musicschool.organization_id, musicschool.members["clara@harmony.example"]],
        )


@contextmanager
def acting(settings: Settings, school: School, who: Person) -> Iterator[psycopg.Connection[Row]]:
    """Connect as the application role and act for somebody; everything is rolled back."""
    with psycopg.connect(settings.database_url, row_factory=dict_row) as connection:
        connection.execute(
            "select set_config('app.organization_id', %s, true), set_config('app.member_id', %s, true), "
            "set_config('app.member_role', %s, true)",
            [str(school.organization_id), str(who.member_id or ""), who.role],
        )
        yield connection
        connection.rollback()


def leaks(postgres: EmbeddedPostgres, settings: Settings, school: School, people: list[Person]) -> list[str]:
    """Return every cell in which somebody sees, changes or deletes what the rules do not give them."""
    found = []
    with as_superuser(postgres, settings) as above:
        above.row_factory = dict_row
        every = {
            table: above.execute(
                f"select * from {table} where organization_id = %s", [school.organization_id]
            ).fetchall()
            for table in (*RULES, "sessions")
        }
    around = {table: {row["id"]: row for row in every[table]} for table in ("sessions", "bookings", "members")}
    for table, sees in RULES.items():
        name = IDENTITY.get(table, "id")
        changed = CHANGED.get(table, "attempts")
        for who in people:
            expected = {(row[name], row.get("member_id")) for row in every[table] if sees(who, row, around)}
            with acting(settings, school, who) as connection:
                visible = {
                    (row[name], row.get("member_id")) for row in connection.execute(f"select * from {table}")
                }
                if visible != expected:
                    found.append(f"{who.name} reads {len(visible)} rows of {table}, not {len(expected)}")
                if changed:
                    may = expected
                    if table == "members" and who.role not in ("admin", "system"):
                        # Nobody writes on people, but a guardian on a child.
                        guardians = {row["id"]: row["guardian_id"] for row in every[table]}
                        may = {(id_, None) for id_, of in guardians.items() if of and of == who.member_id}
                    count = connection.execute(f"update {table} set {changed} = {changed}").rowcount
                    if count != len(may):
                        found.append(f"{who.name} changes {count} rows of {table}, not {len(may)}")
    return found


def test_everybody_sees_and_changes_exactly_their_own(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School, people: list[Person]
) -> None:
    found = leaks(postgres, settings, musicschool, people)
    count("persons", tables=len(RULES), people=len(people), leaks=found)
    assert found == []


@pytest.mark.parametrize("table", [*RULES, "members_update"])
def test_a_dropped_policy_about_persons_is_noticed(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School, people: list[Person], table: str
) -> None:
    """The control: without any one of the policies the matrix above finds a leak."""
    of = table.removesuffix("_update")
    policy = f"{of}_person_update" if table.endswith("_update") else f"{of}_person"
    with as_superuser(postgres, settings) as connection:
        definition = connection.execute(
            "select format('create policy %%I on %%I as restrictive for %%s to coursecove_app using (%%s) "
            "with check (%%s)', policyname, tablename, lower(cmd), qual, with_check) "
            "from pg_policies where policyname = %s",
            [policy],
        ).fetchone()
        assert definition is not None
        connection.execute(f"drop policy {policy} on {of}")
        connection.commit()
        try:
            caught = leaks(postgres, settings, musicschool, people) != []
            count("policy mutant", name=f"{policy} is gone", harmless=False, caught=caught)
            assert caught
        finally:
            connection.execute(definition[0])
    assert leaks(postgres, settings, musicschool, people) == []


#: What a policy asks of a function, answered wrongly: too little and too much.
_WRONG_ANSWERS = {
    "no children": ("my_children()", "uuid[]", "'{}'::uuid[]"),
    "everybody's children": ("my_children()", "uuid[]", "array(select id from members)"),
    "nothing taught": ("taught_by_me(session uuid)", "boolean", "false"),
    "everything taught": ("taught_by_me(session uuid)", "boolean", "true"),
    "no notes": ("note_is_for_me(booking uuid, is_shared boolean)", "boolean", "false"),
    "every note": ("note_is_for_me(booking uuid, is_shared boolean)", "boolean", "true"),
    "unshared notes": (
        "note_is_for_me(booking uuid, is_shared boolean)",
        "boolean",
        "exists (select from bookings where id = booking)",
    ),
}


@pytest.mark.parametrize("mistake", _WRONG_ANSWERS)
def test_a_wrong_answer_to_a_policy_is_noticed(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School, people: list[Person], mistake: str
) -> None:
    signature, type_, answer = _WRONG_ANSWERS[mistake]
    name = signature.partition("(")[0]
    with as_superuser(postgres, settings) as connection:
        definition = connection.execute(
            "select pg_get_functiondef(oid) from pg_proc where proname = %s", [name]
        ).fetchone()
        assert definition is not None
        connection.execute(
            f"create or replace function {signature} returns {type_} language plpgsql stable "
            f"as $$ begin return {answer}; end $$"
        )
        connection.commit()
        try:
            caught = leaks(postgres, settings, musicschool, people) != []
            count("policy mutant", name=f"{name} says {mistake}", harmless=False, caught=caught)
            assert caught
        finally:
            connection.execute(definition[0])
    assert leaks(postgres, settings, musicschool, people) == []


def test_a_lesson_given_to_a_colleague_is_the_colleagues_to_see(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School, people: list[Person]
) -> None:
    """Bookings name the instructor of their session; without the key that keeps it so, the matrix has leaks."""
    ida, tomas = (musicschool.members[f"{name}@harmony.example"] for name in ("ida", "tomas"))
    give = "update sessions set instructor_id = %s where id = %s"
    taken = (
        "select sessions.id from sessions join bookings on session_id = sessions.id "
        "where sessions.instructor_id = %s limit 1"
    )
    with as_superuser(postgres, settings) as connection:
        [session_id] = connection.execute(taken, [ida]).fetchone() or [None]
        connection.execute(give, [tomas, session_id])
        connection.commit()
        assert leaks(postgres, settings, musicschool, people) == []
        # The control.
        connection.execute("set session_replication_role = replica")
        connection.execute(give, [ida, session_id])
        connection.commit()
        assert leaks(postgres, settings, musicschool, people) != []
        connection.execute("set session_replication_role = origin")
        connection.execute("update bookings set instructor_id = %s where session_id = %s", [ida, session_id])
    assert leaks(postgres, settings, musicschool, people) == []


def test_a_booking_names_no_other_instructor_than_its_sessions(
    settings: Settings, musicschool: School, people: list[Person]
) -> None:
    """Nobody lets somebody else see a lesson by naming them: not when it is written, nor later."""
    mia = next(person for person in people if person.name == "mia")
    insert = (
        "insert into bookings (organization_id, reference, session_id, instructor_id, student_id, "
        "booked_by_id, starts_at, ends_at, cancellation_notice_minutes) "
        "select organization_id, 'ABCD-EFGH', id, %s, %s, %s, now() + interval '9 years', "
        "now() + interval '9 years 1 hour', 0 from sessions where instructor_id = %s limit 1"
    )
    ida, tomas = (musicschool.members[f"{name}@harmony.example"] for name in ("ida", "tomas"))
    with acting(settings, musicschool, mia) as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        connection.execute(insert, [tomas, mia.member_id, mia.member_id, ida])
    with acting(settings, musicschool, mia) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update bookings set instructor_id = %s", [tomas])
    with acting(settings, musicschool, mia) as connection:
        # The control: whom the session names.
        assert connection.execute(insert, [ida, mia.member_id, mia.member_id, ida]).rowcount == 1


def test_a_guardian_makes_nobody_of_a_child_who_it_is_not(
    settings: Settings, musicschool: School, people: list[Person]
) -> None:
    """Not by name only: the row that would be written is refused."""
    mia = next(person for person in people if person.name == "mia")
    for change in ("role_override = 'admin'", "guardian_id = null", "guardian_id = id"):
        with (
            acting(settings, musicschool, mia) as connection,
            pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)),
        ):
            connection.execute(f"update members set {change} where guardian_id = %s", [mia.member_id])
    with acting(settings, musicschool, mia) as connection:
        # The control.
        query = "update members set given_name = 'Nele' where guardian_id = %s"
        assert connection.execute(query, [mia.member_id]).rowcount == 1


@pytest.mark.parametrize("guardian", ["mia", "leo"])
def test_nobody_takes_a_child_into_somebody_elses_family(
    settings: Settings, musicschool: School, people: list[Person], guardian: str
) -> None:
    mia, other = (next(person for person in people if person.name == name) for name in ("mia", guardian))
    insert = (
        "insert into members (organization_id, id, given_name, clerk_role, guardian_id, version) "
        "values (%s, gen_random_uuid(), 'Child', 'none', %s, 0)"
    )
    with acting(settings, musicschool, mia) as connection:
        if other is mia:
            assert connection.execute(insert, [musicschool.organization_id, other.member_id]).rowcount == 1
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(insert, [musicschool.organization_id, other.member_id])


@pytest.mark.parametrize("victim", ["mia@example.com", "leo@example.com"])
def test_a_student_writes_nothing_in_another_students_name(
    settings: Settings, musicschool: School, people: list[Person], victim: str
) -> None:
    mia = next(person for person in people if person.name == "mia")
    with acting(settings, musicschool, mia) as connection:
        row = connection.execute("select * from sessions limit 1").fetchone()
        assert row is not None
        insert = (
            "insert into bookings (organization_id, reference, session_id, student_id, booked_by_id, "
            "starts_at, ends_at, cancellation_notice_minutes) values (%s, 'ABCD-EFGH', %s, %s, %s, "
            "now() + interval '9 years', now() + interval '9 years 1 hour', 0)"
        )
        own = victim == "mia@example.com"
        values = [
            musicschool.organization_id,
            row["id"],
            musicschool.members[victim],
            musicschool.members[victim],
        ]
        if own:
            # The control: the same statement in one's own name goes through.
            assert connection.execute(insert, values).rowcount == 1
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(insert, values)


def test_a_query_that_forgot_its_filter_gives_students_their_own_lessons_only(
    client: ClientFor, monkeypatch: pytest.MonkeyPatch, musicschool: School
) -> None:
    """The application's own check is taken out; the database still holds."""
    from sqlalchemy import true

    from coursecove.bookings import queries

    mia = client("musicschool", "mia@example.com")
    before = mia.get("/api/v1/bookings").json()
    monkeypatch.setattr(queries, "visible_to", lambda viewer: true())
    after = mia.get("/api/v1/bookings").json()
    assert before["total"] == after["total"] > 0
    clara = client("musicschool", "clara@harmony.example").get("/api/v1/bookings").json()
    assert clara["total"] > after["total"]
