"""What the trail says of a booking; mails are made from it."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.events import track


def track_booking(
    session: AsyncSession,
    action: str,
    booking: Any,
    *,
    instructor_id: uuid.UUID,
    revision: int,
    by_id: uuid.UUID | None,
    **further: Any,
) -> None:
    """Record what happened to a booking, for whom and when it is; ``by_id`` None: nobody did it.

    ``booking`` is anything with the columns id, reference, student_id,
    starts_at and ends_at; ``further`` may say a start and an end of its own.
    """
    track(
        session,
        action,
        subject_type="booking",
        subject_id=booking.id,
        actor_id=by_id,
        data={
            "reference": booking.reference,
            "revision": revision,
            "instructor_id": str(instructor_id),
            "student_id": str(booking.student_id),
            "starts_at": booking.starts_at.isoformat(),
            "ends_at": booking.ends_at.isoformat(),
            **further,
        },
    )
