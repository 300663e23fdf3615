"""A school's edition: a value that is another one after every change of what it offers.

Revision: 0016
After: 0015

What a school offers is asked for with every page and changed a few times a
week.  A process may keep it for as long as the edition is the one it was read
with, which costs one look-up by key beside whatever is read anyway.

The database sees to it, whoever changes something and in whatever way: a
trigger on every table of the catalogue, at the end of the transaction.  So the
row is locked last and for the length of a commit, and nobody waits for it while
holding something that another needs.  Migrations queue no such work, since a
table with queued work cannot be altered; processes start anew after them anyway.
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import OWNER_ROLE, isolate, open_to_platform

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLES = (
    "appointment_type_locations",
    "appointment_types",
    "closures",
    "date_override_windows",
    "date_overrides",
    "instructor_profiles",
    "intake_questions",
    "location_hours",
    "locations",
    "organizations",
    "qualifications",
    "rooms",
    "time_off",
    "weekly_hours",
)
_CREATE = """
create table school_editions (
  organization_id uuid primary key references organizations (id),
  -- Never one that was there before, whatever is restored from wherever.
  edition uuid not null default gen_random_uuid(),
  changed_at timestamptz not null default now()
);
create function begin_edition() returns trigger language plpgsql as $$
declare
  school uuid;
begin
  if tg_table_name = 'organizations' then
    school := new.id;
  elsif tg_op = 'DELETE' then
    school := old.organization_id;
  else
    school := new.organization_id;
  end if;
  -- Once a transaction is enough.
  if current_setting('app.edition_of', true) = school::text then
    return null;
  end if;
  insert into public.school_editions (organization_id) select id from public.organizations where id = school
  on conflict (organization_id) do update set edition = excluded.edition, changed_at = excluded.changed_at;
  perform set_config('app.edition_of', school::text, true);
  return null;
end $$;
"""
# The owner sees no rows of a table with policies, and forces them on itself again at once.
_FIRST_EDITIONS = """
alter table organizations no force row level security;
insert into school_editions (organization_id) select id from organizations;
alter table organizations force row level security;
"""
_NOT_A_MIGRATION = f"current_user <> '{OWNER_ROLE}'"


def upgrade() -> None:
    """Add the table, a first edition for every school, and the triggers."""
    op.execute(_CREATE)
    op.execute(_FIRST_EDITIONS)
    statements = [
        *isolate("school_editions", app="select, insert, update", update_columns=("edition", "changed_at")),
        *open_to_platform("school_editions", "select, insert, update"),
        *(_trigger(table, "insert or update or delete") for table in TABLES if table != "organizations"),
        _trigger("organizations", "insert or update"),
        # Students come and go; of people only those who teach or run the school are part of it.
        _trigger("members", "insert", "new.role in ('instructor', 'admin')", "_in"),
        _trigger(
            "members", "update", "'instructor' in (old.role, new.role) or 'admin' in (old.role, new.role)"
        ),
        _trigger("members", "delete", "old.role in ('instructor', 'admin')", "_out"),
    ]
    for statement in statements:
        op.execute(statement)


def _trigger(table: str, verbs: str, when: str = "true", suffix: str = "") -> str:
    return (
        f"create constraint trigger {table}_edition{suffix} after {verbs} on {table} "
        f"deferrable initially deferred for each row when ({_NOT_A_MIGRATION} and ({when})) "
        "execute function begin_edition()"
    )
