"""What students need: families, series, waitlists, preferences, calendar feeds, reminders.

Revision: 0007
After: 0006
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import (
    APP_ROLE,
    CURRENT_CLERK_USER,
    CURRENT_MEMBER,
    PLATFORM_ROLE,
    acting_as,
    isolate,
    keep_from_others,
)

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TENANT = """
  organization_id uuid not null references organizations (id),
  id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now(),
  primary key (organization_id, id)
"""

CHANGES = """
alter table organizations
  -- How long before a lesson its people are reminded; each may choose otherwise.
  add column reminder_minutes integer[] not null default '{1440,120}'
    check (cardinality(reminder_minutes) <= 4 and 10 <= all (reminder_minutes) and 20160 >= all (reminder_minutes));

-- Whoever has no account of their own, a child for one, belongs to somebody who has.
alter table members
  add column guardian_id uuid,
  add column birth_year smallint check (birth_year between 1900 and 2200),
  alter column clerk_user_id drop not null,
  alter column clerk_membership_id drop not null,
  add foreign key (organization_id, guardian_id) references members,
  add check (guardian_id is null or guardian_id <> id),
  add check (guardian_id is not null or (clerk_user_id is not null and clerk_membership_id is not null));
create index members_by_guardian on members (organization_id, guardian_id) where guardian_id is not null;
"""

TABLES = f"""
create table series (
  {TENANT.strip()},
  appointment_type_id uuid not null,
  student_id uuid not null,
  instructor_id uuid not null,
  location_id uuid,
  -- A wall clock in a zone: the lessons keep it when clocks change.
  time_zone text not null,
  weekday smallint not null check (weekday between 1 and 7),
  starts_minute smallint not null check (starts_minute between 0 and 1439),
  duration_minutes integer not null check (duration_minutes between 5 and 720),
  every_weeks smallint not null check (every_weeks in (1, 2)),
  first_on date not null check (isfinite(first_on)),
  last_on date not null check (isfinite(last_on) and last_on >= first_on and last_on - first_on <= 400),
  created_by_id uuid not null,
  ended_at timestamptz,
  foreign key (organization_id, appointment_type_id) references appointment_types,
  foreign key (organization_id, student_id) references members,
  foreign key (organization_id, instructor_id) references members,
  foreign key (organization_id, location_id) references locations,
  foreign key (organization_id, created_by_id) references members
);
create index series_by_student on series (organization_id, student_id);

alter table bookings
  add column series_id uuid,
  -- The local date this lesson of a series was meant for, whatever it was moved to since.
  add column series_on date,
  add foreign key (organization_id, series_id) references series,
  add check (series_on is null or series_id is not null);
create index bookings_by_series on bookings (organization_id, series_id, series_on) where series_id is not null;
create index bookings_held on bookings (held_until) where held_until is not null and confirmed_at is null
  and cancelled_at is null;

create table waitlist_entries (
  {TENANT.strip()},
  session_id uuid not null,
  student_id uuid not null,
  joined_by_id uuid not null,
  offered_at timestamptz,
  offer_expires_at timestamptz,
  accepted_at timestamptz,
  -- Let go of the place: declined, lapsed or left; the reason says which.
  ended_at timestamptz,
  end_reason text check (end_reason in ('declined', 'lapsed', 'left', 'class_cancelled', 'class_began')),
  foreign key (organization_id, session_id) references sessions,
  foreign key (organization_id, student_id) references members,
  foreign key (organization_id, joined_by_id) references members,
  check ((offered_at is null) = (offer_expires_at is null)),
  check ((ended_at is null) = (end_reason is null)),
  check (accepted_at is null or (offered_at is not null and ended_at is null))
);
create unique index waitlist_entries_once on waitlist_entries (organization_id, session_id, student_id)
  where accepted_at is null and ended_at is null;
create index waitlist_entries_in_order on waitlist_entries (organization_id, session_id, created_at)
  where accepted_at is null and ended_at is null;
create index waitlist_entries_offered on waitlist_entries (offer_expires_at)
  where offered_at is not null and accepted_at is null and ended_at is null;

create table preferences (
  organization_id uuid not null,
  member_id uuid not null,
  time_zone text,
  locale text check (locale ~ '^[a-z]{{2}}$'),
  -- Null: as the school does it. Empty: no reminders.
  reminder_minutes integer[],
  clock_change_notices boolean not null default true,
  -- Part of the link that ends mails one can do without; the digest of a secret.
  unsubscribe_digest text,
  updated_at timestamptz not null default now(),
  primary key (organization_id, member_id),
  foreign key (organization_id, member_id) references members
);

-- A private address of a calendar. Only the digest is kept, so that a copy of the database opens none.
create table calendar_feeds (
  {TENANT.strip()},
  token_digest text not null check (token_digest ~ '^[0-9a-f]{{64}}$'),
  kind text not null check (kind in ('student', 'instructor', 'location')),
  member_id uuid,
  location_id uuid,
  created_by_id uuid not null,
  revoked_at timestamptz,
  last_read_at timestamptz,
  check ((kind = 'location') = (location_id is not null)),
  check ((kind = 'location') = (member_id is null)),
  foreign key (organization_id, member_id) references members,
  foreign key (organization_id, location_id) references locations,
  foreign key (organization_id, created_by_id) references members
);
create unique index calendar_feeds_by_token on calendar_feeds (organization_id, token_digest);
create unique index calendar_feeds_one on calendar_feeds
  (organization_id, kind, coalesce(member_id, location_id)) where revoked_at is null;

alter table deliveries
  alter column booking_id drop not null,
  alter column booking_revision drop not null,
  add column waitlist_entry_id uuid,
  add column not_before timestamptz,
  add foreign key (organization_id, waitlist_entry_id) references waitlist_entries,
  add check ((booking_id is null) = (booking_revision is null)),
  add check (booking_id is not null or waitlist_entry_id is not null);
create unique index deliveries_of_waitlist on deliveries (organization_id, waitlist_entry_id, kind, recipient_id)
  where booking_id is null;
create index bookings_ahead on bookings (starts_at) where cancelled_at is null;
"""

EDITABLE = {
    "series": ("ended_at", "last_on", "starts_minute", "weekday", "instructor_id", "location_id"),
    "waitlist_entries": ("offered_at", "offer_expires_at", "accepted_at", "ended_at", "end_reason"),
    "preferences": (
        "time_zone", "locale", "reminder_minutes", "clock_change_notices", "unsubscribe_digest", "updated_at",
    ),
    "calendar_feeds": ("revoked_at", "last_read_at"),
}  # fmt: skip

_ALL = acting_as("admin", "system")


def _mine(column: str) -> str:
    """Return the condition that a member is oneself, or a child one is responsible for."""
    # An array that is asked for once, not once a row.
    children = f"array(select child.id from members child where child.guardian_id = {CURRENT_MEMBER})"  # noqa: S608
    return f"{column} = {CURRENT_MEMBER} or {column} = any ({children})"


_TAUGHT_BY_ME = (
    "exists (select from sessions where sessions.organization_id = {table}.organization_id "
    "and sessions.id = {table}.session_id and sessions.instructor_id = " + CURRENT_MEMBER + ")"
)
BOOKINGS = (
    f"{_ALL} or {_mine('student_id')} or booked_by_id = {CURRENT_MEMBER} "
    f"or ({acting_as('instructor')} and {_TAUGHT_BY_ME.format(table='bookings')})"
)
MEMBERS = (
    f"{acting_as('admin', 'instructor', 'system')} or role in ('admin', 'instructor') "
    f"or id = {CURRENT_MEMBER} or guardian_id = {CURRENT_MEMBER} or clerk_user_id = {CURRENT_CLERK_USER}"
)
PERSONAL = {
    "series": f"{_ALL} or {_mine('student_id')} or instructor_id = {CURRENT_MEMBER}",
    "waitlist_entries": (
        f"{_ALL} or {_mine('student_id')} "
        f"or ({acting_as('instructor')} and {_TAUGHT_BY_ME.format(table='waitlist_entries')})"
    ),
    "preferences": f"{acting_as('system')} or member_id = {CURRENT_MEMBER}",
    "calendar_feeds": f"{_ALL} or member_id = {CURRENT_MEMBER}",
}
# A child is taken in by its guardian or by an admin; it never has an account, nor a role of its own.
_A_CHILD = (
    "clerk_user_id is null and clerk_membership_id is null and role_override is null and clerk_role = 'none'"
)


def upgrade() -> None:
    """Add tables and columns; the policies on bookings and members let guardians through to their children."""
    op.execute(CHANGES)
    op.execute(TABLES)
    statements = [
        f"alter policy bookings_person on bookings using ({BOOKINGS}) with check ({BOOKINGS})",
        f"alter policy members_person on members using ({MEMBERS}) with check ({MEMBERS})",
        f"alter policy members_person_update on members "
        f"using ({_ALL} or guardian_id = {CURRENT_MEMBER}) with check ({_ALL} or guardian_id = {CURRENT_MEMBER})",
        f"grant insert (organization_id, id, given_name, family_name, clerk_role, guardian_id, birth_year, version) "
        f"on members to {APP_ROLE}",
        f"grant update (given_name, family_name, birth_year, guardian_id, removed_at) on members to {APP_ROLE}",
        f"grant update (reminder_minutes) on organizations to {APP_ROLE}",
        f"grant update (series_id, series_on) on bookings to {APP_ROLE}",
        f"grant select (not_before) on deliveries to {PLATFORM_ROLE}",
    ]
    for table, columns in EDITABLE.items():
        statements += isolate(table, app="select, insert, update", update_columns=columns)
    for table, visible in PERSONAL.items():
        statements += keep_from_others(table, visible)
    statements += keep_from_others(
        "members",
        f"{_A_CHILD} and guardian_id is not null and ({_ALL} or guardian_id = {CURRENT_MEMBER})",
        verbs="insert",
    )
    for statement in statements:
        op.execute(statement)
