"""A row in every tenant table that the demo's world leaves empty."""

from __future__ import annotations

import uuid

from tests.isolation.databases import Connection

_ROWS = """
insert into deliveries (organization_id, kind, booking_id, booking_revision, recipient_id, recipient_email)
  select organization_id, 'confirmation', id, 0, student_id, 'x@example.com' from bookings
  where organization_id = {school} limit 1;
insert into idempotency_keys (organization_id, member_id, key, fingerprint, status_code, response)
  select organization_id, id, 'key', 'print', 201, '{{}}' from members where organization_id = {school} limit 1;
insert into pictures (organization_id, media_type, content, digest, uploaded_by_id)
  select organization_id, 'image/png', 'x', repeat('0', 64), id from members
  where organization_id = {school} limit 1;
insert into rooms (organization_id, location_id, name)
  select organization_id, id, 'Room of the matrix' from locations where organization_id = {school} limit 1;
insert into location_hours (organization_id, location_id, weekday, starts_minute, ends_minute)
  select organization_id, id, 7, 0, 1 from locations where organization_id = {school} limit 1;
insert into closures (organization_id, name, starts_on, ends_on)
  values ({school}, 'Day of the matrix', '2001-01-01', '2001-01-01');
insert into travel_zones (organization_id, name, travel_minutes) values ({school}, 'Zone of the matrix', 5);
insert into date_overrides (organization_id, member_id, on_date)
  select organization_id, members.id, day from members, unnest(array['2001-01-01', '2001-01-02']::date[]) day
  where organization_id = {school} and clerk_user_id is not null order by members.id, day limit 2;
insert into date_override_windows (organization_id, member_id, on_date, starts_minute, ends_minute)
  select organization_id, member_id, on_date, 0, 1 from date_overrides
  where organization_id = {school} and on_date = '2001-01-02';
insert into time_off (organization_id, member_id, starts_at, ends_at, created_by_id)
  select organization_id, id, '2001-01-01', '2001-01-02', id from members
  where organization_id = {school} limit 1;
insert into intake_questions (organization_id, appointment_type_id, kind, label)
  select organization_id, id, 'yes_no', 'Is this a matrix?' from appointment_types
  where organization_id = {school} limit 1;
insert into lesson_notes (organization_id, booking_id, author_id, body)
  select organization_id, id, booked_by_id, 'Note of the matrix' from bookings
  where organization_id = {school} limit 1;
insert into mail_texts (organization_id, kind, locale) values ({school}, 'matrix', 'en');
insert into imports (organization_id, kind, content, created_by_id)
  select organization_id, 'people', '', id from members where organization_id = {school} limit 1;
insert into series (organization_id, appointment_type_id, student_id, instructor_id, time_zone, weekday,
  starts_minute, duration_minutes, every_weeks, first_on, last_on, created_by_id)
  select b.organization_id, s.appointment_type_id, b.student_id, s.instructor_id, 'UTC', 1, 0, 45, 1,
    '2001-01-01', '2001-01-01', b.student_id
  from bookings b join sessions s on (s.organization_id, s.id) = (b.organization_id, b.session_id)
  where b.organization_id = {school} limit 1;
insert into waitlist_entries (organization_id, session_id, student_id, joined_by_id)
  select organization_id, session_id, student_id, student_id from bookings
  where organization_id = {school} limit 1;
insert into members (organization_id, given_name, clerk_role, guardian_id, version)
  select organization_id, 'Child of the matrix', 'none', id, 0 from members
  where organization_id = {school} and clerk_user_id is not null limit 1;
insert into preferences (organization_id, member_id)
  select organization_id, id from members where organization_id = {school} limit 1;
insert into calendar_feeds (organization_id, token_digest, kind, member_id, created_by_id)
  select organization_id, repeat('0', 64), 'student', id, id from members
  where organization_id = {school} limit 1;
insert into calendar_feeds (organization_id, token_digest, kind, location_id, created_by_id)
  select locations.organization_id, repeat('1', 64), 'location', locations.id, members.id
  from locations join members using (organization_id) where organization_id = {school} limit 1;
"""


def furnish(connection: Connection, organization_id: uuid.UUID) -> None:
    """Give a school one row in each table the demo leaves empty; the connection must be above all policies."""
    for statement in _ROWS.format(school=f"'{organization_id}'").split(";"):
        if statement.strip():
            connection.execute(statement)
