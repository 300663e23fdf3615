"""Policies that cost little where they are not needed.

Revision: 0015
After: 0014

A policy that looks into another table makes every statement open that table and
its indexes, whoever asks: an admin who read one booking by its id paid ten times
the read.  A booking names its instructor now, and what only some people need is a
function, which costs nothing until it is called, and is called last.  Who sees
what stays as it was.

The functions run as whoever asks, so the policies of what they read hold inside.
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import APP_ROLE, CURRENT_MEMBER, either_role

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ME = "nullif(current_setting('app.member_id', true), '')::uuid"

# A booking names the instructor of its session, so that a policy need not look there.
# The key keeps it true: it moves with the session's, past the policies and the grants.
CHANGES = """
alter table sessions add unique (organization_id, id, instructor_id);
alter table bookings add column instructor_id uuid;
alter table sessions no force row level security;
alter table bookings no force row level security;
update bookings set instructor_id = sessions.instructor_id from sessions
where sessions.organization_id = bookings.organization_id and sessions.id = bookings.session_id;
alter table sessions force row level security;
alter table bookings force row level security;
alter table bookings
  alter column instructor_id set not null,
  drop constraint bookings_organization_id_session_id_fkey,
  add foreign key (organization_id, session_id, instructor_id)
    references sessions (organization_id, id, instructor_id) on update cascade;
"""

# Names of tables are written out in full: a temporary table of the same name would come first.
FUNCTIONS = f"""
create function take_instructor_of_session() returns trigger language plpgsql as $$
begin
  -- Nobody's id for a session that is not there: the key refuses it, in its own words.
  new.instructor_id := coalesce(
    (select instructor_id from public.sessions
     where organization_id = new.organization_id and id = new.session_id),
    '00000000-0000-0000-0000-000000000000'
  );
  return new;
end $$;
create trigger bookings_instructor before insert on bookings
  for each row when (new.instructor_id is null) execute function take_instructor_of_session();
create trigger bookings_instructor_moved before update of session_id on bookings
  for each row when (new.session_id <> old.session_id) execute function take_instructor_of_session();

create function my_children() returns uuid[] language plpgsql stable parallel safe as $$
begin
  return array(select id from public.members where guardian_id = {_ME});
end $$;

create function taught_by_me(session uuid) returns boolean language plpgsql stable parallel safe as $$
begin
  return current_setting('app.member_role', true) = 'instructor' and exists (
    select from public.sessions where id = session and instructor_id = {_ME}
  );
end $$;

-- A note of somebody else's: an instructor's, of a lesson they may see, or one that was shared with its student.
create function note_is_for_me(booking uuid, is_shared boolean) returns boolean
language plpgsql stable parallel safe as $$
declare me constant uuid := {_ME};
begin
  return exists (
    select from public.bookings
    where id = booking and (
      current_setting('app.member_role', true) = 'instructor'
      or (is_shared and (student_id = me or student_id = any ((select public.my_children())::uuid[])))
    )
  );
end $$;
"""  # noqa: S608 - nothing from outside
_SIGNATURES = (
    "take_instructor_of_session()", "my_children()", "taught_by_me(uuid)", "note_is_for_me(uuid, boolean)",
)  # fmt: skip

_ALL = either_role("admin", "system")
_MINE = f"student_id = {CURRENT_MEMBER} or student_id = any ((select my_children())::uuid[])"
_TEACHER = f"(select case when current_setting('app.member_role', true) = 'instructor' then {_ME} end)"
PERSONAL = {
    "bookings": f"{_ALL} or {_MINE} or booked_by_id = {CURRENT_MEMBER} or instructor_id = {_TEACHER}",
    "series": f"{_ALL} or {_MINE} or instructor_id = {CURRENT_MEMBER}",
    "waitlist_entries": f"{_ALL} or {_MINE} or taught_by_me(session_id)",
    "lesson_notes": f"{_ALL} or author_id = {_TEACHER} or note_is_for_me(booking_id, shared_at is not null)",
}


def upgrade() -> None:
    """Add a column, functions and triggers, and change policies; the running release notices nothing."""
    op.execute(CHANGES)
    op.execute(FUNCTIONS)
    for signature in _SIGNATURES:
        op.execute(f"revoke execute on function {signature} from public")
        op.execute(f"grant execute on function {signature} to {APP_ROLE}")
    for table, visible in PERSONAL.items():
        op.execute(f"alter policy {table}_person on {table} using ({visible}) with check ({visible})")
