"""Witnesses inside the database: triggers of the harness that count what the product cannot count twice.

They live in a schema of their own, in the harness's own database.  Each line
they write commits with the change it is about, or not at all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import psycopg

_WITNESSES = """
create schema chaos;
create table chaos.completions (message_id text not null, at timestamptz not null default clock_timestamp());
create table chaos.applications (
  relation text not null, clerk_id text not null, version bigint not null,
  xid xid8 not null default pg_current_xact_id()
);
create table chaos.takeovers (message_id text not null, late interval not null);
create table chaos.leases (token uuid primary key, process text not null);

create function chaos.completed() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into chaos.completions (message_id) values (new.message_id);
  return null;
end $$;
create function chaos.applied() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into chaos.applications (relation, clerk_id, version)
  values (tg_table_name, to_jsonb(new) ->> tg_argv[0], new.version);
  return null;
end $$;
create function chaos.taken_over() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into chaos.takeovers (message_id, late) values (new.message_id, now() - old.lease_expires_at);
  return null;
end $$;

-- Which process holds a lease; each connects with a name of its own.
create function chaos.leased() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into chaos.leases (token, process)
  values (new.lease_token, coalesce(current_setting('chaos.process', true), ''))
  on conflict do nothing;
  return null;
end $$;

-- Every statement that says "completed", also to a row that was completed before.
create trigger chaos_completed after insert or update of status on public.webhook_events
for each row when (new.status = 'completed') execute function chaos.completed();
-- Fires for every statement that names the column, also when it writes what was there.
create trigger chaos_applied after insert or update of version on public.users
for each row execute function chaos.applied('clerk_id');
create trigger chaos_applied after insert or update of version on public.organizations
for each row execute function chaos.applied('clerk_id');
create trigger chaos_applied after insert or update of version on public.members
for each row execute function chaos.applied('clerk_membership_id');
-- A lease passes from one attempt to the next only after the first one died or overslept.
create trigger chaos_taken_over after update of lease_token on public.webhook_events
for each row
when (old.status = 'processing' and new.status = 'processing' and new.lease_token <> old.lease_token)
execute function chaos.taken_over();
create trigger chaos_leased after update of lease_token on public.webhook_events
for each row when (new.lease_token is not null) execute function chaos.leased();
"""
_UNFINISHED = "select count(*) from webhook_events where status not in ('completed', 'failed')"
_IN_HAND = """
select leases.process from webhook_events join chaos.leases on leases.token = webhook_events.lease_token
where webhook_events.status = 'processing' and webhook_events.lease_expires_at > now()
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one message."""

    status: str
    outcome: str | None
    path: str | None
    error: str | None
    waiting_for: str | None


def install(connection: psycopg.Connection) -> None:
    """Put the witnesses in place; needs an administrator's connection to the migrated database."""
    connection.execute(_WITNESSES)


def unfinished(connection: psycopg.Connection) -> int:
    """Return how many messages are neither completed nor failed."""
    return _number(connection, _UNFINISHED)


def in_hand(connection: psycopg.Connection) -> Counter[str]:
    """Return how many messages each process has claimed and is processing right now."""
    return Counter(row[0] for row in connection.execute(_IN_HAND))


def takeovers(connection: psycopg.Connection) -> tuple[int, float]:
    """Return how many leases passed to another attempt, and the longest wait for that, in seconds."""
    row = connection.execute(
        "select count(*), coalesce(max(extract(epoch from late)), 0) from chaos.takeovers"
    ).fetchone()
    assert row is not None
    return int(row[0]), float(row[1])


def rows(connection: psycopg.Connection) -> dict[str, Row]:
    """Return every message by its id."""
    found = connection.execute(
        "select message_id, status, outcome, path, error, waiting_for from webhook_events"
    )
    return {row[0]: Row(*row[1:]) for row in found}


def completed_twice(connection: psycopg.Connection) -> list[str]:
    """Return the messages that were completed more than once."""
    found = connection.execute(
        "select message_id from chaos.completions group by message_id having count(*) > 1 order by message_id"
    )
    return [str(row[0]) for row in found]


def applied(connection: psycopg.Connection) -> Counter[tuple[str, str, int]]:
    """Return in how many transactions each (table, Clerk's id, version) was written."""
    found = connection.execute(
        "select relation, clerk_id, version, count(distinct xid) from chaos.applications group by 1, 2, 3"
    )
    return Counter({(row[0], row[1], row[2]): row[3] for row in found})


def _number(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])
