"""The catalogue has no complaint, and each way to break it brings one."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.isolation.catalogue_rules import complaints, tenant_tables
from tests.isolation.databases import Connection, as_superuser, within
from tests.isolation.tally import count

_TENANT = "(select nullif(current_setting('app.organization_id', true), '')::uuid)"
_GOOD_TABLE = f"""
create table lockers (
  organization_id uuid not null references organizations (id), id uuid not null default gen_random_uuid(),
  member_id uuid, number integer,
  primary key (organization_id, id), unique (organization_id, number),
  foreign key (organization_id, member_id) references members
);
alter table lockers owner to coursecove_owner;
alter table lockers enable row level security;
alter table lockers force row level security;
create policy lockers_app on lockers to coursecove_app using (true) with check (true);
create policy lockers_organization on lockers as restrictive to coursecove_app
  using (organization_id = {_TENANT}) with check (organization_id = {_TENANT});
grant select, insert, delete on lockers to coursecove_app;
"""


@pytest.fixture(scope="module")
def schema(postgres: EmbeddedPostgres, empty_settings: Settings) -> Iterator[Connection]:
    with as_superuser(postgres, empty_settings) as connection:
        yield connection
        connection.rollback()


def test_every_table_is_closed_to_other_organizations(schema: Connection) -> None:
    found = complaints(schema)
    count("catalogue", tables=tenant_tables(schema), complaints=found)
    assert found == []
    assert {"members", "bookings", "sessions", "deliveries"} <= set(tenant_tables(schema))


def test_a_table_made_by_the_rules_is_fine(schema: Connection) -> None:
    """Otherwise the complaints below would say nothing about what they name."""
    schema.rollback()
    schema.execute(_GOOD_TABLE)
    assert complaints(schema) == []
    assert "lockers" in tenant_tables(schema)
    schema.rollback()


_MISTAKES = {
    "row level security is off": ("alter table lockers disable row level security", "lockers"),
    "the owner is let through": ("alter table lockers no force row level security", "lockers"),
    "the tenant policy is missing": ("drop policy lockers_organization on lockers", "lockers"),
    "the tenant policy can be widened": (
        "drop policy lockers_organization on lockers; create policy lockers_organization on lockers "
        f"to coursecove_app using (organization_id = {_TENANT}) with check (organization_id = {_TENANT})",
        "lockers",
    ),
    "reading is open": ("alter policy lockers_organization on lockers using (true)", "lockers"),
    "writing is open": ("alter policy lockers_organization on lockers with check (true)", "lockers"),
    "no tenant means all tenants": (
        "alter policy lockers_organization on lockers using ("
        "nullif(current_setting('app.organization_id', true), '') is null "
        f"or organization_id = {_TENANT})",
        "lockers",
    ),
    "another setting decides": (
        "alter policy lockers_organization on lockers using "
        "(organization_id = (select nullif(current_setting('app.organisation_id', true), '')::uuid))",
        "lockers",
    ),
    "only reading is guarded": (
        "drop policy lockers_organization on lockers; create policy lockers_organization on lockers "
        f"as restrictive for select to coursecove_app using (organization_id = {_TENANT})",
        "lockers",
    ),
    "the policy is for somebody else": (
        "alter policy lockers_organization on lockers to coursecove_platform",
        "lockers",
    ),
    "a policy is for everybody": ("create policy open on lockers to public using (true)", "lockers"),
    "a key is unique across schools": ("alter table lockers add unique (number)", "lockers_number_key"),
    "an index is unique across schools": (
        "create unique index lockers_first on lockers (number) where number > 0",
        "lockers_first",
    ),
    "the primary key has no organization": (
        "alter table lockers drop constraint lockers_pkey, add primary key (id)",
        "lockers_pkey",
    ),
    "there is no primary key": ("alter table lockers drop constraint lockers_pkey", "lockers"),
    "the organization may be missing": (
        "alter table lockers drop constraint lockers_pkey, alter organization_id drop not null",
        "organization_id",
    ),
    "a reference leaves the organization": (
        "alter table lockers add owner_id uuid; create unique index on members (id); "
        "alter table lockers add constraint lockers_owner foreign key (owner_id) references members (id)",
        "lockers_owner",
    ),
    "a reference reaches the platform's tables": (
        "alter table lockers add user_id uuid references users (id)",
        "lockers_user_id_fkey",
    ),
    "rows can change hands": ("grant update on lockers to coursecove_app", "move rows of lockers"),
    "the table can be emptied at once": ("grant truncate on lockers to coursecove_app", "TRUNCATE on lockers"),
    "triggers can be added": ("grant trigger on lockers to coursecove_app", "TRIGGER on lockers"),
    "everybody can read": ("grant select on lockers to public", "everybody has SELECT on lockers"),
    "the app owns a table": ("alter table lockers owner to coursecove_app", "belongs to coursecove_app"),
    "a view reads as its owner": ("create view locker_list as select * from lockers", "locker_list"),
    "a materialized view keeps a copy": ("create materialized view copied as select * from lockers", "copied"),
    "a function runs as its owner": (
        "create function peek() returns bigint language sql security definer as 'select count(*) from lockers'",
        "peek()",
    ),
    "the app reads everybody's accounts": ("grant select on users to coursecove_app", "SELECT on users"),
    "a column of the platform is open": ("grant select (email) on users to coursecove_app", "SELECT on users"),
    "the app renames a subdomain": ("grant update (slug) on organizations to coursecove_app", "change slug"),
    "organizations are open": (
        "alter policy organizations_organization on organizations using (true)",
        "organizations",
    ),
    "a platform table has no policies": (
        "alter table webhook_events no force row level security",
        "webhook_events",
    ),
    "the app bypasses policies": ("alter role coursecove_app bypassrls", "role coursecove_app"),
    "the app can become the platform": (
        "grant coursecove_platform to coursecove_app",
        "member of another role",
    ),
    "the app can make tables": ("grant create on schema public to coursecove_app", "may create"),
}


@pytest.mark.parametrize("mistake", list(_MISTAKES))
def test_each_mistake_is_complained_about(schema: Connection, mistake: str) -> None:
    schema.rollback()
    statement, named = _MISTAKES[mistake]
    schema.execute(_GOOD_TABLE)
    schema.execute(statement)
    found = complaints(schema)
    schema.rollback()
    caught = any(named in complaint for complaint in found)
    count("schema mutant", name=mistake, caught=caught)
    assert caught, f"{mistake}: {found}"


def test_a_view_with_the_callers_rights_is_fine(schema: Connection) -> None:
    schema.rollback()
    schema.execute(_GOOD_TABLE)
    schema.execute("create view locker_list with (security_invoker = true) as select * from lockers")
    assert complaints(schema) == []
    schema.rollback()


_FORBIDDEN = (
    "truncate members",
    "truncate bookings cascade",
    "copy members from stdin",
    "create table mine (id int)",
    "create temporary table mine (id int)",
    "alter table members disable row level security",
    "alter table members no force row level security",
    "drop table deliveries",
    "drop policy members_organization on members",
    "create policy open on members using (true)",
    "create index on members (email)",
    "create function mine() returns int language sql as 'select 1'",
    "set role coursecove_owner",
    "set role coursecove_platform",
    "set session authorization coursecove_platform",
    "alter role coursecove_app bypassrls",
    "create extension pg_stat_statements",
    "copy (select 1) to program 'true'",
    "select pg_read_file('/etc/passwd')",
    "select * from users",
    "select * from subdomains",
    "select * from webhook_events",
    "select * from identity_tombstones",
)


@pytest.mark.parametrize("statement", _FORBIDDEN)
def test_the_application_role_is_refused(empty_settings: Settings, statement: str) -> None:
    with (
        within(empty_settings.database_url, None) as connection,
        # 42501: insufficient privilege. 0A000: COPY FROM is not supported below row-level security.
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)),
    ):
        connection.execute(statement)


def test_row_security_cannot_be_switched_off(empty_settings: Settings) -> None:
    with within(empty_settings.database_url, None) as connection:
        connection.execute("set local row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute("select * from members")
