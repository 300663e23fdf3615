"""Holds and offers that end by themselves, and guardians who read what is shared about their children.

Revision: 0008
After: 0009
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import APP_ROLE, CURRENT_MEMBER, PLATFORM_ROLE, acting_as

revision = "0008"
down_revision = "0009"
branch_labels = None
depends_on = None

CHANGES = """
alter table organizations
  -- How long a freed seat of a class is kept for whoever waited longest.
  add column waitlist_offer_minutes integer not null default 720
    check (waitlist_offer_minutes between 15 and 10080);

alter table sessions
  -- When the first hold or offer in it ends, by the clock of the database. A private lesson with a date here
  -- exists because of a hold alone: past the date it is in nobody's way.
  add column held_until timestamptz;
create index sessions_held on sessions (held_until) where held_until is not null and cancelled_at is null;
"""

# Whoever holds a time says what the school wants to know when they book it.  What was said stays as it was said.
ANSWERS_STAY = """
create function answers_stay() returns trigger language plpgsql as $$
begin
  if old.answers is distinct from new.answers and (old.held_until is null or old.confirmed_at is not null) then
    raise insufficient_privilege using message = 'what was answered at booking time is not written anew';
  end if;
  return new;
end $$;
create trigger bookings_answers_stay before update of answers on bookings
  for each row execute function answers_stay();
"""

_SERVING_ALL = acting_as("admin", "system")
_A_CHILD = (
    "clerk_user_id is null and clerk_membership_id is null and role_override is null and clerk_role = 'none'"
)
_OF_A_VISIBLE_BOOKING = (
    "exists (select from bookings where bookings.organization_id = lesson_notes.organization_id "
    "and bookings.id = lesson_notes.booking_id"
)
_MY_CHILDREN = f"array(select child.id from members child where child.guardian_id = {CURRENT_MEMBER})"  # noqa: S608
_MINE = f"(bookings.student_id = {CURRENT_MEMBER} or bookings.student_id = any ({_MY_CHILDREN}))"
LESSON_NOTES = (
    f"{_SERVING_ALL} or ({acting_as('instructor')} and (author_id = {CURRENT_MEMBER} "
    f"or {_OF_A_VISIBLE_BOOKING}))) or (shared_at is not null and {_OF_A_VISIBLE_BOOKING} and {_MINE}))"
)
_OWN_CHILD = f"guardian_id = {CURRENT_MEMBER}"


def upgrade() -> None:
    """Add columns that the running release ignores, and change two policies."""
    op.execute(CHANGES)
    op.execute(ANSWERS_STAY)
    for statement in (
        f"grant update (waitlist_offer_minutes) on organizations to {APP_ROLE}",
        f"grant update (held_until) on sessions to {APP_ROLE}",
        f"grant update (answers) on bookings to {APP_ROLE}",
        # Guardians read what the instructor shared about a child of theirs.
        f"alter policy lesson_notes_person on lesson_notes using ({LESSON_NOTES}) with check ({LESSON_NOTES})",
        # A guardian writes a child's name, and makes nobody of it who it is not.
        f"alter policy members_person_update on members using ({_SERVING_ALL} or {_OWN_CHILD}) "
        f"with check ({_SERVING_ALL} or ({_OWN_CHILD} and {_A_CHILD}))",
        # What has ended is found for all schools: ids and dates, no content.
        "grant select (organization_id, id, starts_at, held_until, cancelled_at) "
        f"on sessions to {PLATFORM_ROLE}",
        f"create policy sessions_platform on sessions as permissive for select to {PLATFORM_ROLE} using (true)",
        "grant select (organization_id, id, session_id, accepted_at, ended_at) "
        f"on waitlist_entries to {PLATFORM_ROLE}",
        "create policy waitlist_entries_platform on waitlist_entries as permissive for select "
        f"to {PLATFORM_ROLE} using (true)",
    ):
        op.execute(statement)
