"""What must hold of a school's lessons whatever was done to them, asked of the tables themselves."""

from __future__ import annotations

#: Each query counts violations; none of them may be above zero.
INVARIANTS = {
    "an instructor is in two lessons at once": """
        select count(*) from sessions a join sessions b
          on a.organization_id = b.organization_id and a.instructor_id = b.instructor_id
          and a.id < b.id and a.during && b.during
        where a.cancelled_at is null and b.cancelled_at is null""",
    "a room holds two lessons at once": """
        select count(*) from sessions a join sessions b
          on a.organization_id = b.organization_id and a.room_id = b.room_id
          and a.id < b.id and a.during && b.during
        where a.cancelled_at is null and b.cancelled_at is null""",
    "a student is in two lessons at once": """
        select count(*) from bookings a join bookings b
          on a.organization_id = b.organization_id and a.student_id = b.student_id
          and a.id < b.id and a.during && b.during
        where a.cancelled_at is null and b.cancelled_at is null""",
    "a session has more seats taken than there are": """
        select count(*) from sessions where seats_taken not between 0 and capacity""",
    "a session counts other seats than are booked and offered": """
        select count(*) from sessions s
        where cancelled_at is null and seats_taken <>
          (select count(*) from bookings b
           where b.organization_id = s.organization_id and b.session_id = s.id and b.cancelled_at is null)
          + (select count(*) from waitlist_entries w
             where w.organization_id = s.organization_id and w.session_id = s.id
               and w.offered_at is not null and w.accepted_at is null and w.ended_at is null)""",
    "a lesson stands in a session that was cancelled, or at another time than it": """
        select count(*) from bookings b join sessions s
          on s.organization_id = b.organization_id and s.id = b.session_id
        where b.cancelled_at is null
          and (s.cancelled_at is not null or (s.starts_at, s.ends_at) <> (b.starts_at, b.ends_at))""",
    "time of an instructor is kept for nobody": """
        select count(*) from sessions s
        where cancelled_at is null and scheduled_by_id is null and not exists
          (select from bookings b where b.organization_id = s.organization_id and b.session_id = s.id
             and b.cancelled_at is null)""",
    "somebody is offered a seat twice": """
        select count(*) from (
          select from waitlist_entries where accepted_at is null and ended_at is null
          group by organization_id, session_id, student_id having count(*) > 1) twice""",
}

#: One row: the name of every invariant that does not hold, and how often.
VIOLATIONS = " union all ".join(
    f"select '{name}' as what, ({query}) as times" for name, query in INVARIANTS.items()
)
BROKEN = f"select what, times from ({VIOLATIONS}) as found where times > 0"
