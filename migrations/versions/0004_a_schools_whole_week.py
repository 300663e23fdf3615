"""What a school needs for its whole week: rooms, closures, overrides, classes, approval, attendance, notes.

Revision: 0004
After: 0003
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import APP_ROLE, CURRENT_MEMBER, acting_as, isolate, keep_from_others

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TENANT = """
  organization_id uuid not null references organizations (id),
  id uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now(),
  primary key (organization_id, id)
"""

TABLES = f"""
-- Uploaded pictures (a logo, somebody's photo), small enough to live beside what they show.
create table pictures (
  {TENANT.strip()},
  media_type text not null check (media_type in ('image/png', 'image/jpeg', 'image/webp')),
  content bytea not null check (length(content) between 1 and 1048576),
  digest text not null check (digest ~ '^[0-9a-f]{{64}}$'),
  uploaded_by_id uuid not null,
  foreign key (organization_id, uploaded_by_id) references members
);
create index pictures_by_digest on pictures (organization_id, digest);

create table rooms (
  {TENANT.strip()},
  location_id uuid not null,
  name text not null check (length(name) between 1 and 80),
  -- People beside the instructor: a class of eight needs a room for eight.
  capacity integer not null default 1 check (capacity between 1 and 1000),
  position integer not null default 0,
  archived_at timestamptz,
  foreign key (organization_id, location_id) references locations,
  unique (organization_id, location_id, id)
);
create unique index rooms_by_name on rooms (organization_id, location_id, lower(name)) where archived_at is null;

-- When a place is open, in minutes of its own local day. A place without rows is always open.
create table location_hours (
  {TENANT.strip()},
  location_id uuid not null,
  weekday smallint not null check (weekday between 1 and 7),
  starts_minute smallint not null check (starts_minute between 0 and 1439),
  ends_minute smallint not null check (ends_minute between 1 and 1440),
  check (starts_minute < ends_minute),
  foreign key (organization_id, location_id) references locations,
  constraint location_hours_no_overlap exclude using gist (
    organization_id with =, location_id with =, weekday with =,
    int4range(starts_minute, ends_minute) with &&
  )
);

-- Whole local days on which nothing is taught: of one location in its zone, of the school in the zone of
-- wherever the lesson would be. A yearly one returns on the same days.
create table closures (
  {TENANT.strip()},
  location_id uuid,
  name text not null check (length(name) between 1 and 120),
  starts_on date not null,
  ends_on date not null,
  yearly boolean not null default false,
  check (isfinite(starts_on) and isfinite(ends_on) and starts_on <= ends_on and ends_on - starts_on < 366),
  foreign key (organization_id, location_id) references locations
);
create index closures_by_end on closures (organization_id, ends_on);

-- How long the way to a student takes, by the beginning of the postcode.
create table travel_zones (
  {TENANT.strip()},
  name text not null check (length(name) between 1 and 80),
  postcode_prefixes text[] not null default '{{}}',
  travel_minutes integer not null check (travel_minutes between 0 and 120),
  position integer not null default 0
);

-- A local date of an instructor whose hours differ from the week's; without windows it is a day off.
create table date_overrides (
  organization_id uuid not null,
  member_id uuid not null,
  on_date date not null check (isfinite(on_date)),
  created_at timestamptz not null default now(),
  primary key (organization_id, member_id, on_date),
  foreign key (organization_id, member_id) references members
);
create table date_override_windows (
  {TENANT.strip()},
  member_id uuid not null,
  on_date date not null,
  starts_minute smallint not null check (starts_minute between 0 and 1439),
  ends_minute smallint not null check (ends_minute between 1 and 1440),
  location_id uuid,
  check (starts_minute < ends_minute),
  foreign key (organization_id, member_id, on_date) references date_overrides on delete cascade,
  foreign key (organization_id, location_id) references locations,
  constraint date_override_windows_no_overlap exclude using gist (
    organization_id with =, member_id with =, on_date with =,
    int4range(starts_minute, ends_minute) with &&
  )
);

create table time_off (
  {TENANT.strip()},
  member_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  -- For colleagues; students never see it.
  reason text not null default '' check (length(reason) <= 200),
  created_by_id uuid not null,
  check (isfinite(starts_at) and isfinite(ends_at) and starts_at < ends_at),
  check (ends_at - starts_at <= interval '400 days'),
  foreign key (organization_id, member_id) references members,
  foreign key (organization_id, created_by_id) references members
);
create index time_off_by_end on time_off (organization_id, member_id, ends_at);

create table intake_questions (
  {TENANT.strip()},
  appointment_type_id uuid not null,
  position integer not null default 0,
  kind text not null check (kind in ('short_text', 'long_text', 'choice', 'yes_no')),
  label text not null check (length(label) between 1 and 200),
  hint text not null default '' check (length(hint) <= 300),
  options text[] not null default '{{}}',
  required boolean not null default false,
  archived_at timestamptz,
  check ((kind = 'choice') = (cardinality(options) > 0)),
  foreign key (organization_id, appointment_type_id) references appointment_types
);
create index intake_questions_by_type on intake_questions (organization_id, appointment_type_id, position);

create table lesson_notes (
  {TENANT.strip()},
  booking_id uuid not null,
  author_id uuid not null,
  -- Null: for staff. Otherwise the student reads it since then.
  shared_at timestamptz,
  body text not null check (length(body) between 1 and 4000),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, booking_id) references bookings,
  foreign key (organization_id, author_id) references members
);
create index lesson_notes_by_booking on lesson_notes (organization_id, booking_id, created_at);

-- What a school says in its mails in its own words; a kind without a row says what CourseCove says.
create table mail_texts (
  organization_id uuid not null references organizations (id),
  kind text not null check (kind ~ '^[a-z_]+$'),
  locale text not null check (locale ~ '^[a-z]{{2}}$'),
  subject text not null default '' check (length(subject) <= 150),
  opening text not null default '' check (length(opening) <= 2000),
  closing text not null default '' check (length(closing) <= 2000),
  updated_at timestamptz not null default now(),
  primary key (organization_id, kind, locale)
);

-- A list somebody uploaded: first looked through row by row, then taken over once.
create table imports (
  {TENANT.strip()},
  kind text not null check (kind in ('people', 'appointment_types', 'hours')),
  file_name text not null default '' check (length(file_name) <= 200),
  content text not null check (length(content) <= 2000000),
  created_by_id uuid not null,
  applied_at timestamptz,
  foreign key (organization_id, created_by_id) references members
);
"""

CHANGES = """
alter table organizations
  add column logo_picture_id uuid,
  add column policy_text text not null default '' check (length(policy_text) <= 4000),
  add column default_minimum_notice_minutes integer not null default 120
    check (default_minimum_notice_minutes between 0 and 86400),
  add column default_cancellation_notice_minutes integer not null default 1440
    check (default_cancellation_notice_minutes between 0 and 86400),
  add column default_reschedule_notice_minutes integer not null default 1440
    check (default_reschedule_notice_minutes between 0 and 86400),
  add column default_travel_minutes integer not null default 30 check (default_travel_minutes between 0 and 120),
  add foreign key (id, logo_picture_id) references pictures (organization_id, id);

alter table members
  add column deactivated_at timestamptz;

alter table instructor_profiles
  add column languages text[] not null default '{}',
  add column picture_id uuid,
  -- Lessons of all types together, in the instructor's own days and weeks.
  add column day_limit integer check (day_limit between 1 and 100),
  add column week_limit integer check (week_limit between 1 and 500),
  add foreign key (organization_id, picture_id) references pictures;

alter table qualifications
  -- The last day it holds, in the school's zone.
  add column expires_on date check (isfinite(expires_on));

alter table appointment_types
  drop constraint appointment_types_location_mode_check,
  add check (location_mode in ('in_person', 'online', 'students_place')),
  add column kind text not null default 'private' check (kind in ('private', 'class')),
  -- Lengths a student may choose instead of duration_minutes.
  add column further_durations_minutes integer[] not null default '{}'
    check (5 <= all (further_durations_minutes) and 720 >= all (further_durations_minutes)
           and cardinality(further_durations_minutes) <= 7),
  add column capacity integer not null default 1 check (capacity between 1 and 1000),
  add column visibility text not null default 'public' check (visibility in ('public', 'members', 'link')),
  add column link_key text check (link_key ~ '^[A-Za-z0-9_-]{16,64}$'),
  add column requires_approval boolean not null default false,
  add column approve_within_minutes integer not null default 2880
    check (approve_within_minutes between 15 and 43200),
  add column reschedule_notice_minutes integer not null default 1440
    check (reschedule_notice_minutes between 0 and 86400),
  -- Null: as often as they like.
  add column most_reschedules integer default 3 check (most_reschedules between 0 and 100),
  -- A term: whole days in the schedule's zone, the last one included. With it, the horizon counts as well.
  add column bookable_from date check (isfinite(bookable_from)),
  add column bookable_until date check (isfinite(bookable_until)),
  -- Lessons of this type with one instructor, in the instructor's days and weeks.
  add column day_limit integer check (day_limit between 1 and 100),
  add column week_limit integer check (week_limit between 1 and 500),
  -- Lessons of this type for one student, in the instructor's days and weeks.
  add column student_day_limit integer check (student_day_limit between 1 and 100),
  add column student_week_limit integer check (student_week_limit between 1 and 500),
  add check (kind = 'class' or capacity = 1),
  add check ((visibility = 'link') <= (link_key is not null)),
  add check (bookable_from <= bookable_until);

alter table sessions
  add column room_id uuid,
  -- Counted here, because a student's eyes do not reach the other seats.
  add column seats_taken integer not null default 1,
  -- A class that staff put on the calendar stays when its last seat is given back.
  add column scheduled_by_id uuid,
  add check (seats_taken between 0 and capacity),
  add foreign key (organization_id, scheduled_by_id) references members,
  add foreign key (organization_id, location_id, room_id) references rooms (organization_id, location_id, id),
  add check (room_id is null or location_id is not null),
  add constraint sessions_room_free exclude using gist (
    organization_id with =, room_id with =, during with &&
  ) where (cancelled_at is null and room_id is not null),
  drop constraint sessions_bounded,
  -- Buffers and the way to a student together.
  add constraint sessions_bounded check (
    ends_at - starts_at <= interval '12 hours'
    and starts_at - blocked_from <= interval '6 hours' and blocked_until - ends_at <= interval '6 hours'
  );
update sessions set seats_taken = (
  select count(*) from bookings
  where bookings.organization_id = sessions.organization_id and bookings.session_id = sessions.id
    and bookings.cancelled_at is null
) where capacity > 1 or cancelled_at is not null;
create index sessions_by_room on sessions (organization_id, room_id, starts_at) where room_id is not null;

alter table bookings
  alter column confirmed_at drop not null,
  add column held_until timestamptz,
  -- Until when staff may confirm a request; after that it lapses.
  add column approve_by timestamptz,
  add column declined_at timestamptz,
  add column reschedule_notice_minutes integer not null default 1440,
  add column most_reschedules integer,
  add column rescheduled_count integer not null default 0,
  add column answers jsonb not null default '[]',
  add column address text not null default '' check (length(address) <= 400),
  add column postcode text not null default '' check (length(postcode) <= 20),
  add column travel_minutes integer not null default 0 check (travel_minutes between 0 and 120),
  add column overridden_rules text[] not null default '{}',
  add column attendance text check (attendance in ('present', 'late', 'absent', 'excused')),
  add column attendance_noted_at timestamptz,
  add column attendance_noted_by_id uuid,
  add foreign key (organization_id, attendance_noted_by_id) references members,
  add check ((attendance is null) = (attendance_noted_at is null)),
  add check (declined_at is null or (cancelled_at is not null and confirmed_at is null)),
  add check (confirmed_at is not null or held_until is not null or approve_by is not null),
  drop column status;
alter table bookings
  add column status text not null generated always as (
    case
      when declined_at is not null then 'declined'
      when cancelled_at is not null and confirmed_at is null and held_until is not null then 'expired'
      when cancelled_at is not null then 'cancelled'
      when confirmed_at is not null then 'confirmed'
      when held_until is not null then 'held'
      else 'pending'
    end
  ) stored;
create index bookings_waiting on bookings (organization_id, approve_by)
  where confirmed_at is null and cancelled_at is null;

create index events_latest on events (organization_id, created_at desc);
create index events_by_actor on events (organization_id, actor_id, created_at desc);
"""

# What may be changed after it was written; columns that are not named here never change.
EDITABLE = {
    "rooms": ("name", "capacity", "position", "archived_at"),
    "closures": ("location_id", "name", "starts_on", "ends_on", "yearly"),
    "travel_zones": ("name", "postcode_prefixes", "travel_minutes", "position"),
    "intake_questions": ("position", "kind", "label", "hint", "options", "required", "archived_at"),
    "lesson_notes": ("shared_at", "body", "updated_at"),
    "mail_texts": ("subject", "opening", "closing", "updated_at"),
    "imports": ("applied_at",),
}
DELETABLE = frozenset({"closures", "travel_zones", "lesson_notes", "mail_texts"})
REPLACED = ("location_hours", "date_overrides", "date_override_windows", "time_off", "pictures")
FURTHER = {
    "organizations": (
        "logo_picture_id", "policy_text", "default_minimum_notice_minutes",
        "default_cancellation_notice_minutes", "default_reschedule_notice_minutes", "default_travel_minutes",
    ),
    "members": ("deactivated_at",),
    "instructor_profiles": ("languages", "picture_id", "day_limit", "week_limit"),
    "qualifications": ("expires_on",),
    "appointment_types": (
        "kind", "further_durations_minutes", "capacity", "visibility", "link_key", "requires_approval",
        "approve_within_minutes", "reschedule_notice_minutes", "most_reschedules", "bookable_from",
        "bookable_until", "day_limit", "week_limit", "student_day_limit", "student_week_limit",
    ),
    "sessions": (
        "instructor_id", "location_id", "room_id", "starts_at", "ends_at", "blocked_from", "blocked_until",
        "capacity", "seats_taken",
    ),
    "bookings": (
        "session_id", "starts_at", "ends_at", "confirmed_at", "held_until", "approve_by", "declined_at",
        "rescheduled_count", "rules_overridden", "overridden_rules", "attendance", "attendance_noted_at",
        "attendance_noted_by_id", "note", "address", "postcode", "travel_minutes",
    ),
}  # fmt: skip

# A note is its lesson's: whoever sees the lesson as staff sees it, the student once it is shared.
_OF_A_VISIBLE_BOOKING = (
    "exists (select from bookings where bookings.organization_id = lesson_notes.organization_id "
    "and bookings.id = lesson_notes.booking_id"
)
PERSONAL = {
    "lesson_notes": (
        f"{acting_as('admin', 'system')} or ({acting_as('instructor')} and (author_id = {CURRENT_MEMBER} "
        f"or {_OF_A_VISIBLE_BOOKING}))) or (shared_at is not null and {_OF_A_VISIBLE_BOOKING} "
        f"and bookings.student_id = {CURRENT_MEMBER}))"
    ),
    # Lists of people with their addresses.
    "imports": acting_as("admin", "system"),
}


def upgrade() -> None:
    """Add tables and columns; the running release ignores them, so deploy migration first, then code."""
    op.execute(TABLES)
    op.execute(CHANGES)
    statements: list[str] = []
    for table, columns in EDITABLE.items():
        verbs = "select, insert, update, delete" if table in DELETABLE else "select, insert, update"
        statements += isolate(table, app=verbs, update_columns=columns)
    for table in REPLACED:
        statements += isolate(table, app="select, insert, delete")
    for table, columns in FURTHER.items():
        statements.append(f"grant update ({', '.join(columns)}) on {table} to {APP_ROLE}")
    for table, visible in PERSONAL.items():
        statements += keep_from_others(table, visible)
    for statement in statements:
        op.execute(statement)
