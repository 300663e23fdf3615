"""The first house: organizations and people, the inbox, appointments, hours, bookings.

Revision: 0001
After: nothing
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import (
    APP_ROLE,
    CURRENT_ORGANIZATION,
    PLATFORM_ROLE,
    isolate,
    open_to_platform,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Keys of a tenant table: (organization_id, id), so that every foreign key can
# carry the organization and a reference into another one cannot be written.
TENANT = """
  organization_id uuid not null references organizations (id),
  id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now(),
  primary key (organization_id, id)
"""

PLATFORM_TABLES = """
create table organizations (
  id uuid primary key default gen_random_uuid(),
  clerk_id text not null unique,
  slug text not null check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  name text not null check (length(name) between 1 and 200),
  time_zone text not null default 'UTC',
  locale text not null default 'en',
  currency text not null default 'EUR' check (currency ~ '^[A-Z]{3}$'),
  accent_color text not null default '#4f46e5' check (accent_color ~ '^#[0-9a-f]{6}$'),
  logo_url text,
  self_enrolment boolean not null default true,
  -- What Clerk last said about name and looks.  Only what changed there since is
  -- taken over, so that an unrelated event does not undo what the school chose here.
  clerk_values jsonb not null default '{}',
  version bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);

-- Every subdomain ever given out.  A retired one stays here for good: handing it
-- to another school would send that school the first one's links and visitors.
create table subdomains (
  slug text primary key check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  organization_id uuid not null references organizations (id),
  created_at timestamptz not null default now(),
  retired_at timestamptz
);
create unique index subdomains_current on subdomains (organization_id) where retired_at is null;

create table users (
  id uuid primary key default gen_random_uuid(),
  clerk_id text not null unique,
  email text,
  given_name text not null default '',
  family_name text not null default '',
  image_url text,
  version bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);

-- What the provider deleted.  A create or update that arrives later finds its
-- name here and is superseded, so nothing is ever resurrected.
create table identity_tombstones (
  kind text not null check (kind in ('user', 'organization', 'membership')),
  clerk_id text not null,
  deleted_at timestamptz not null default now(),
  primary key (kind, clerk_id)
);

create table webhook_events (
  source text not null,
  message_id text not null check (length(message_id) between 1 and 255),
  event_type text not null,
  entity_id text,
  entity_version bigint,
  status text not null default 'pending' check (status in ('pending', 'processing', 'completed', 'failed')),
  outcome text check (outcome in ('applied', 'ignored', 'superseded')),
  -- Who made the last attempt: the request that brought the event, or a worker.
  path text check (path in ('fast', 'queue')),
  -- The entity that has to arrive first, 'user:…' or 'organization:…', and since when.
  waiting_for text,
  waiting_since timestamptz,
  -- Attempts that ended without an answer, the present one included.
  attempts integer not null default 0,
  next_attempt_at timestamptz,
  -- When the sweep last sent a wake-up, so that a long queue is not filled twice.
  woken_at timestamptz,
  lease_token uuid,
  lease_expires_at timestamptz,
  error text,
  headers jsonb not null default '{}',
  body bytea not null,
  processing_ms integer,
  received_at timestamptz not null default now(),
  processed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (source, message_id),
  check (status <> 'completed' or (processed_at is not null and outcome is not null)),
  check (status <> 'pending' or next_attempt_at is not null),
  check (status <> 'failed' or error is not null),
  check ((waiting_for is null) = (waiting_since is null)),
  check ((status = 'processing') = (lease_token is not null)),
  check ((lease_token is null) = (lease_expires_at is null))
);
create index webhook_events_due on webhook_events (next_attempt_at) where status in ('pending', 'processing');
create index webhook_events_waiting on webhook_events (waiting_for) where waiting_for is not null;
create index webhook_events_received on webhook_events (received_at);

create table periodic_jobs (
  name text primary key,
  every_seconds integer not null check (every_seconds > 0),
  next_run_at timestamptz not null default now(),
  last_run_at timestamptz
);
"""

TENANT_TABLES = f"""
create table members (
  {TENANT.strip().rstrip(",")},
  clerk_user_id text not null,
  clerk_membership_id text not null,
  given_name text not null default '',
  family_name text not null default '',
  email text,
  image_url text,
  clerk_role text not null,
  role_override text check (role_override in ('admin', 'instructor', 'student')),
  role text not null generated always as (
    coalesce(role_override, case clerk_role
      when 'org:admin' then 'admin' when 'org:instructor' then 'instructor' else 'student' end)
  ) stored,
  version bigint not null,
  joined_at timestamptz not null default now(),
  removed_at timestamptz,
  unique (organization_id, clerk_user_id)
);
create index members_by_user on members (clerk_user_id);

create table instructor_profiles (
  organization_id uuid not null,
  member_id uuid not null,
  slug text not null check (slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
  bio text not null default '' check (length(bio) <= 2000),
  time_zone text not null,
  meeting_url text check (length(meeting_url) <= 500),
  created_at timestamptz not null default now(),
  primary key (organization_id, member_id),
  foreign key (organization_id, member_id) references members,
  unique (organization_id, slug)
);

create table locations (
  {TENANT.strip()},
  slug text not null check (slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
  name text not null check (length(name) between 1 and 120),
  address text not null default '' check (length(address) <= 400),
  directions text not null default '' check (length(directions) <= 1000),
  time_zone text not null,
  archived_at timestamptz,
  unique (organization_id, slug)
);

create table appointment_types (
  {TENANT.strip()},
  slug text not null check (slug ~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?$'),
  name text not null check (length(name) between 1 and 120),
  description text not null default '' check (length(description) <= 2000),
  color text not null default '#4f46e5' check (color ~ '^#[0-9a-f]{{6}}$'),
  duration_minutes integer not null check (duration_minutes between 5 and 720),
  buffer_before_minutes integer not null default 0 check (buffer_before_minutes between 0 and 240),
  buffer_after_minutes integer not null default 0 check (buffer_after_minutes between 0 and 240),
  start_interval_minutes integer check (start_interval_minutes between 5 and 720),
  minimum_notice_minutes integer not null default 120 check (minimum_notice_minutes between 0 and 86400),
  horizon_days integer not null default 60 check (horizon_days between 1 and 365),
  cancellation_notice_minutes integer not null default 1440
    check (cancellation_notice_minutes between 0 and 86400),
  location_mode text not null check (location_mode in ('in_person', 'online')),
  price_cents integer check (price_cents between 0 and 100000000),
  position integer not null default 0,
  published_at timestamptz,
  archived_at timestamptz,
  unique (organization_id, slug)
);

create table appointment_type_locations (
  organization_id uuid not null,
  appointment_type_id uuid not null,
  location_id uuid not null,
  primary key (organization_id, appointment_type_id, location_id),
  foreign key (organization_id, appointment_type_id) references appointment_types,
  foreign key (organization_id, location_id) references locations
);

create table qualifications (
  organization_id uuid not null,
  member_id uuid not null,
  appointment_type_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, member_id, appointment_type_id),
  foreign key (organization_id, member_id) references members,
  foreign key (organization_id, appointment_type_id) references appointment_types
);
create index qualifications_by_type on qualifications (organization_id, appointment_type_id);

create table weekly_hours (
  {TENANT.strip()},
  member_id uuid not null,
  weekday smallint not null check (weekday between 1 and 7),
  starts_minute smallint not null check (starts_minute between 0 and 1439),
  ends_minute smallint not null check (ends_minute between 1 and 1440),
  location_id uuid,
  check (starts_minute < ends_minute),
  foreign key (organization_id, member_id) references members,
  foreign key (organization_id, location_id) references locations,
  constraint weekly_hours_no_overlap exclude using gist (
    organization_id with =, member_id with =, weekday with =,
    int4range(starts_minute, ends_minute) with &&
  )
);

create table sessions (
  {TENANT.strip()},
  appointment_type_id uuid not null,
  instructor_id uuid not null,
  location_id uuid,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  blocked_from timestamptz not null,
  blocked_until timestamptz not null,
  during tstzrange not null generated always as (tstzrange(blocked_from, blocked_until, '[)')) stored,
  capacity integer not null default 1 check (capacity between 1 and 1000),
  cancelled_at timestamptz,
  check (isfinite(blocked_from) and isfinite(blocked_until)),
  check (blocked_from <= starts_at and starts_at < ends_at and ends_at <= blocked_until),
  -- What may reach into a window starts at most this much before it: the btree
  -- bounds of bookings/timetable.py rely on it.
  constraint sessions_bounded check (
    ends_at - starts_at <= interval '12 hours'
    and starts_at - blocked_from <= interval '4 hours' and blocked_until - ends_at <= interval '4 hours'
  ),
  foreign key (organization_id, appointment_type_id) references appointment_types,
  foreign key (organization_id, instructor_id) references members,
  foreign key (organization_id, location_id) references locations,
  constraint sessions_instructor_free exclude using gist (
    organization_id with =, instructor_id with =, during with &&
  ) where (cancelled_at is null)
);
-- Read with bounds on both sides of a btree: under a policy the planner does not
-- push && into an index, so the GiST constraint is for writing only.
create index sessions_by_start on sessions (organization_id, instructor_id, starts_at);
create index sessions_calendar on sessions (organization_id, starts_at);

create table bookings (
  {TENANT.strip()},
  reference text not null check (reference ~ '^[0-9A-Z]{{4}}-[0-9A-Z]{{4}}$'),
  session_id uuid not null,
  student_id uuid not null,
  booked_by_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  during tstzrange not null generated always as (tstzrange(starts_at, ends_at, '[)')) stored,
  confirmed_at timestamptz not null default now(),
  cancelled_at timestamptz,
  cancelled_by_id uuid,
  cancellation_reason text check (length(cancellation_reason) <= 500),
  cancellation_notice_minutes integer not null,
  note text not null default '' check (length(note) <= 1000),
  price_cents integer,
  currency text,
  rules_overridden boolean not null default false,
  revision integer not null default 0,
  status text not null generated always as (
    case when cancelled_at is null then 'confirmed' else 'cancelled' end
  ) stored,
  check (isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at),
  constraint bookings_bounded check (ends_at - starts_at <= interval '12 hours'),
  check ((price_cents is null) = (currency is null)),
  unique (organization_id, reference),
  foreign key (organization_id, session_id) references sessions,
  foreign key (organization_id, student_id) references members,
  foreign key (organization_id, booked_by_id) references members,
  foreign key (organization_id, cancelled_by_id) references members,
  constraint bookings_student_free exclude using gist (
    organization_id with =, student_id with =, during with &&
  ) where (cancelled_at is null)
);
create index bookings_by_student on bookings (organization_id, student_id, starts_at);
create index bookings_by_session on bookings (organization_id, session_id);
create index bookings_by_start on bookings (organization_id, starts_at);

create table events (
  {TENANT.strip()},
  action text not null check (action ~ '^[a-z_]+\\.[a-z_]+$'),
  actor_id uuid,
  subject_type text not null,
  subject_id uuid not null,
  data jsonb not null default '{{}}',
  dispatched_at timestamptz,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  foreign key (organization_id, actor_id) references members
);
create index events_undispatched on events (next_attempt_at) where dispatched_at is null;
create index events_by_subject on events (organization_id, subject_type, subject_id);

create table deliveries (
  {TENANT.strip()},
  kind text not null,
  booking_id uuid not null,
  booking_revision integer not null,
  recipient_id uuid not null,
  recipient_email text not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  sent_at timestamptz,
  failed_at timestamptz,
  skipped_at timestamptz,
  error text,
  foreign key (organization_id, booking_id) references bookings,
  foreign key (organization_id, recipient_id) references members,
  unique (organization_id, booking_id, booking_revision, kind, recipient_id)
);
create index deliveries_due on deliveries (next_attempt_at)
  where sent_at is null and failed_at is null and skipped_at is null;

create table idempotency_keys (
  organization_id uuid not null references organizations (id),
  member_id uuid not null,
  key text not null check (length(key) between 1 and 200),
  fingerprint text not null,
  status_code smallint not null,
  response bytea not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, member_id, key),
  foreign key (organization_id, member_id) references members
);
"""

EDITABLE = {
    "locations": ("slug", "name", "address", "directions", "time_zone", "archived_at"),
    "appointment_types": (
        "slug", "name", "description", "color", "duration_minutes", "buffer_before_minutes",
        "buffer_after_minutes", "start_interval_minutes", "minimum_notice_minutes", "horizon_days",
        "cancellation_notice_minutes", "location_mode", "price_cents", "position", "published_at",
        "archived_at",
    ),
    "instructor_profiles": ("slug", "bio", "time_zone", "meeting_url"),
    "sessions": ("cancelled_at",),
    "bookings": ("cancelled_at", "cancelled_by_id", "cancellation_reason", "revision"),
    "events": ("dispatched_at", "attempts", "next_attempt_at"),
    "deliveries": ("attempts", "next_attempt_at", "sent_at", "failed_at", "skipped_at", "error"),
}  # fmt: skip


def upgrade() -> None:
    """Create every table of the first release with its policies and grants."""
    op.execute("create extension if not exists btree_gist")
    for script in (PLATFORM_TABLES, TENANT_TABLES):
        op.execute(script)
    statements = [
        f"grant usage on schema public to {APP_ROLE}, {PLATFORM_ROLE}",
        f"grant select on alembic_version to {APP_ROLE}, {PLATFORM_ROLE}",
    ]
    for table, verbs in {
        "organizations": "select, insert, update",
        "subdomains": "select, insert, update",
        "users": "select, insert, update",
        "identity_tombstones": "select, insert",
        "webhook_events": "select, insert, update, delete",
        "periodic_jobs": "select, insert, update, delete",
        # Identity sync writes people into every school they belong to.
        "members": "select, insert",
    }.items():
        statements += open_to_platform(table, verbs)
    # A member never moves to another school, not even by this door.
    statements.append(
        "grant update (clerk_membership_id, given_name, family_name, email, image_url, clerk_role, "
        f"role_override, version, joined_at, removed_at) on members to {PLATFORM_ROLE}"
    )
    # The sweeps look for what is due in any organization: ids and dates, no content.
    for table, columns in {
        "events": "organization_id, id, dispatched_at, next_attempt_at",
        "deliveries": "organization_id, id, sent_at, failed_at, skipped_at, next_attempt_at",
    }.items():
        statements.append(f"grant select ({columns}) on {table} to {PLATFORM_ROLE}")
        statements.append(
            f"create policy {table}_platform on {table} as permissive for select "
            f"to {PLATFORM_ROLE} using (true)"
        )
    # An organization sees and brands itself; its slug and its existence come from the platform.
    statements += [
        f"create policy organizations_app on organizations as permissive for all to {APP_ROLE} "
        "using (true) with check (true)",
        f"create policy organizations_organization on organizations as restrictive for all to {APP_ROLE} "
        f"using (id = {CURRENT_ORGANIZATION}) with check (id = {CURRENT_ORGANIZATION})",
        f"grant select on organizations to {APP_ROLE}",
        "grant update (name, time_zone, locale, currency, accent_color, logo_url, self_enrolment, "
        f"updated_at) on organizations to {APP_ROLE}",
    ]
    statements += isolate("members", app="select, update", update_columns=("role_override",))
    for table in ("appointment_type_locations", "qualifications", "weekly_hours"):
        statements += isolate(table, app="select, insert, delete")
    statements += isolate("idempotency_keys", app="select, insert, delete")
    for table, columns in EDITABLE.items():
        # What happened is cancelled or archived, not deleted.
        statements += isolate(table, app="select, insert, update", update_columns=columns)
    for statement in statements:
        op.execute(statement)
