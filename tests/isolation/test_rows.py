"""Every tenant table × role × verb × {own, foreign, unset}, generated from the catalogue."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.factories.world import School
from tests.isolation.catalogue_rules import APP, OWNER, PLATFORM, privileges, rows, tenant_tables
from tests.isolation.databases import Connection, as_superuser, enter, within
from tests.isolation.furniture import furnish
from tests.isolation.rows import DENIED, NOTHING, REACHED, REFUSED, VERBS, a_row, attempt, columns_of
from tests.isolation.tally import count

#: The narrow door: identity sync writes people, the sweeps look for what is due. Nothing else.
PLATFORM_MAY = {
    "members": {"select", "insert", "update"},
    "events": {"select"},
    "deliveries": {"select"},
    # What has run out is found for all schools.
    "bookings": {"select"},
    "sessions": {"select"},
    "waitlist_entries": {"select"},
    "imports": {"select", "delete"},
    # A person or a school that changes begins another edition: an id and a date, no content.
    "school_editions": {"select", "insert", "update"},
}


@pytest.fixture(scope="module")
def above(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School, yoga: School
) -> Iterator[Connection]:
    """A connection above all policies, after both schools got a row in the tables the demo leaves empty."""
    with as_superuser(postgres, settings) as connection:
        for school in (musicschool, yoga):
            furnish(connection, school.organization_id)
        connection.commit()
        yield connection


def _urls(settings: Settings) -> dict[str, str]:
    return {
        APP: settings.database_url,
        PLATFORM: settings.database_platform_url,
        OWNER: settings.database_owner_url,
    }


def _expected(role: str, verb: str, scope: str, granted: bool) -> str:
    """Say what has to come of a verb on a row that is one's own, another school's, or met outside of any."""
    if not granted:
        return DENIED
    if role == APP and scope == "own":
        return REACHED
    if role == PLATFORM:
        return REACHED
    # The owner holds every grant and is let through to nothing: FORCE.
    return REFUSED if verb == "insert" else NOTHING


def _leaks(
    above: Connection, connection: Connection, role: str, mine: School, other: School
) -> tuple[list[str], int]:
    """Return every combination that came out otherwise than it has to, and how many were tried."""
    found, tried = [], 0
    for table in tenant_tables(above):
        columns = columns_of(above, table)
        held = {verb.lower() for verb in privileges(above, role, table)}
        if role == PLATFORM:
            assert held == PLATFORM_MAY.get(table, set()), f"{role} on {table}: {held}"
        targets = {
            "own": (mine.organization_id, a_row(above, table, mine.organization_id)),
            "foreign": (mine.organization_id, a_row(above, table, other.organization_id)),
            "unset": (None, a_row(above, table, mine.organization_id)),
        }
        for verb in VERBS:
            for scope, (organization_id, target) in targets.items():
                outcome = attempt(
                    connection, table=table, verb=verb, scope=organization_id, target=target, columns=columns
                )
                expected = _expected(role, verb, scope, verb in held)
                tried += 1
                if outcome != expected:
                    found.append(f"{role} {verb} {table} ({scope}): {outcome} instead of {expected}")
    return found, tried


@pytest.mark.parametrize("role", [APP, PLATFORM, OWNER])
def test_a_role_reaches_exactly_what_is_its_own(
    above: Connection, settings: Settings, musicschool: School, yoga: School, role: str
) -> None:
    with psycopg.connect(_urls(settings)[role]) as connection:
        found, tried = _leaks(above, connection, role, yoga, musicschool)
    count("rows", role=role, tables=len(tenant_tables(above)), verbs=VERBS, cells=tried, leaks=found)
    assert found == []
    assert tried == len(tenant_tables(above)) * len(VERBS) * 3


_LEAKS = {
    "reading is open": "alter policy {table}_organization on {table} using (true)",
    "writing is open": "alter policy {table}_organization on {table} with check (true)",
    "the tenant policy is gone": "drop policy {table}_organization on {table}",
    "row level security is off": "alter table {table} disable row level security",
    "no tenant means all": (
        "alter policy {table}_organization on {table} using "
        "(nullif(current_setting('app.organization_id', true), '') is null "
        "or organization_id = (select nullif(current_setting('app.organization_id', true), '')::uuid))"
    ),
    "one's own rows are out of reach": "alter policy {table}_organization on {table} using (false)",
}


@pytest.mark.parametrize("table", ["members", "bookings", "weekly_hours", "deliveries"])
@pytest.mark.parametrize("mutant", list(_LEAKS))
def test_the_matrix_sees_a_policy_that_was_tampered_with(
    above: Connection, musicschool: School, yoga: School, mutant: str, table: str
) -> None:
    """24 mutants; the superuser's connection turns into the application role after breaking the schema."""
    above.rollback()
    targets = {
        "own": (yoga.organization_id, a_row(above, table, yoga.organization_id)),
        "foreign": (yoga.organization_id, a_row(above, table, musicschool.organization_id)),
        "unset": (None, a_row(above, table, yoga.organization_id)),
    }
    columns = columns_of(above, table)
    held = {verb.lower() for verb in privileges(above, APP, table)}
    above.execute(_LEAKS[mutant].format(table=table))
    above.execute(f"set local role {APP}")
    outcomes = {
        (verb, scope): attempt(
            above, table=table, verb=verb, scope=organization_id, target=target, columns=columns
        )
        for verb in VERBS
        for scope, (organization_id, target) in targets.items()
    }
    above.rollback()
    expected = {(verb, scope): _expected(APP, verb, scope, verb in held) for verb, scope in outcomes}
    harmless = mutant == "writing is open" and "insert" not in held
    count("policy mutant", name=f"{mutant}: {table}", harmless=harmless, caught=outcomes != expected)
    if harmless:
        # Nothing can be inserted here, and an update of one's own columns cannot move a row.
        assert outcomes == expected
    else:
        assert outcomes != expected


def test_the_platform_role_reads_no_contents_of_what_it_sweeps(settings: Settings) -> None:
    for column in (
        "events.data",
        "events.actor_id",
        "deliveries.recipient_email",
        "deliveries.error",
        "bookings.student_id",
        "bookings.note",
        "sessions.instructor_id",
        "waitlist_entries.student_id",
        "imports.content",
        "imports.created_by_id",
    ):
        table, _, name = column.partition(".")
        with (
            within(settings.database_platform_url, None) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(f"select {name} from {table}")


_CHECKS = "select conname from pg_constraint where contype = 'c' and conrelid = %s::regclass"


def test_no_reference_can_point_into_another_organization(
    above: Connection, musicschool: School, yoga: School
) -> None:
    """Not even above all policies: the keys themselves refuse it."""
    above.rollback()
    keys = rows(
        above,
        "select conrelid::regclass::text, conname, confrelid::regclass::text, "
        "(select array_agg(a.attname order by k.n) from unnest(conkey) with ordinality k(num, n) "
        " join pg_attribute a on a.attrelid = conrelid and a.attnum = k.num), "
        "(select array_agg(a.attname order by k.n) from unnest(confkey) with ordinality k(num, n) "
        " join pg_attribute a on a.attrelid = confrelid and a.attnum = k.num) "
        "from pg_constraint where contype = 'f' and conrelid::regclass::text = any(%s) "
        "and confrelid <> 'organizations'::regclass",
        [tenant_tables(above)],
    )
    assert len(keys) >= 18
    for table, name, target, columns, target_columns in keys:
        # Of the people, those who have a guardian are what refers to others.
        own, foreign = (
            a_row(above, target, school.organization_id, last=target == table) for school in (yoga, musicschool)
        )
        for row, refused in ((own, False), (foreign, True)):
            pairs = list(zip(columns, target_columns, strict=True))[1:]
            changes = ", ".join(f"{column} = %s" for column, _ in pairs)
            values = [row[column] for _, column in pairs]
            query = (
                f"update {table} set {changes} where ctid = "
                # A row that has such a reference: where it is to be empty, a check speaks first.
                f"(select ctid from {table} where organization_id = %s order by {pairs[0][0]} limit 1)"
            )
            try:
                with above.transaction(force_rollback=True):
                    for (check,) in rows(above, _CHECKS, [table]):
                        # A check is asked before a key; here the key is in question.
                        above.execute(f"alter table {table} drop constraint {check}")
                    above.execute(query, [*values, yoga.organization_id])
                    outcome = False
            except psycopg.errors.ForeignKeyViolation as error:
                # Not when it is a row below this one that holds on to the old key.
                outcome = error.diag.table_name == table
            except (psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation):
                # Reached another constraint: only an accepted reference gets that far.
                outcome = False
            if refused:
                count("foreign key", name=f"{table}.{name}", refused=outcome)
            assert outcome is refused, f"{name} of {table}, {'foreign' if refused else 'own'} {target}"
    above.rollback()


def test_the_application_cannot_refer_to_another_schools_rows(
    settings: Settings, musicschool: School, yoga: School
) -> None:
    jun, piano = yoga.members["jun@stillwater.example"], musicschool.types["Piano lesson"]
    insert = "insert into qualifications (organization_id, member_id, appointment_type_id) values (%s, %s, %s)"
    with within(settings.database_url, yoga.organization_id) as connection:
        with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
            connection.execute(
                insert,
                [yoga.organization_id, jun, piano],
            )
        # The same sentence about something that is nowhere at all.
        with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
            connection.execute(
                insert,
                [yoga.organization_id, jun, uuid.uuid4()],
            )


def test_an_update_cannot_move_a_row_to_another_school(
    settings: Settings, musicschool: School, yoga: School, above: Connection
) -> None:
    above.rollback()
    for table in tenant_tables(above):
        with (
            within(settings.database_url, yoga.organization_id) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"),
        ):
            connection.execute(
                f"update {table} set organization_id = %s",
                [musicschool.organization_id],
            )


def test_the_same_name_is_free_in_every_school(settings: Settings, musicschool: School, yoga: School) -> None:
    """A key across schools would tell one of them what another has."""
    insert = (
        "insert into locations (organization_id, slug, name, time_zone) "
        "values (%s, 'studio-linden', 'Ours', 'UTC') on conflict do nothing"
    )
    for school, inserted in ((yoga, 1), (musicschool, 0)):
        with within(settings.database_url, school.organization_id) as connection:
            assert connection.execute(insert, [school.organization_id]).rowcount == inserted


def test_a_school_sees_one_organization_and_changes_only_its_looks(
    settings: Settings, musicschool: School, yoga: School
) -> None:
    def seen(scope: uuid.UUID | None) -> list[Any]:
        with within(settings.database_url, scope) as connection:
            return connection.execute("select id from organizations").fetchall()

    assert seen(yoga.organization_id) == [(yoga.organization_id,)]
    assert seen(None) == []
    with within(settings.database_url, yoga.organization_id) as connection:
        assert connection.execute("update organizations set name = name").rowcount == 1
        changed = connection.execute(
            "update organizations set name = 'Mine' where id = %s", [musicschool.organization_id]
        )
        assert changed.rowcount == 0
        for statement in ("delete from organizations", "update organizations set slug = 'mine'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement)


def test_nonsense_in_the_setting_is_an_error_and_never_a_tenant(settings: Settings) -> None:
    for value in ("musicschool", "' or true --", "00000000-0000-0000-0000-00000000000"):
        with psycopg.connect(settings.database_url) as connection:
            connection.execute("select set_config('app.organization_id', %s, true)", [value])
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                connection.execute("select * from members")


def test_what_another_transaction_set_is_gone(settings: Settings, yoga: School) -> None:
    with psycopg.connect(settings.database_url) as connection:
        enter(connection, yoga.organization_id)
        assert connection.execute("select count(*) from members").fetchone() != (0,)
        connection.commit()
        assert connection.execute("select count(*) from members").fetchone() == (0,)
