"""What was, or is to be, sent to whom."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from coursecove.db.base import Base, Identified, OrganizationKey


class Delivery(Identified, Base):
    """One mail about one revision of one booking to one person; unique, so never sent twice by plan.

    Others are about a place on a waiting list, or about clocks that change.
    """

    __tablename__ = "deliveries"

    kind: Mapped[str]
    booking_id: Mapped[uuid.UUID | None]
    booking_revision: Mapped[int | None]
    waitlist_entry_id: Mapped[uuid.UUID | None]
    clock_change_at: Mapped[datetime | None]
    # Of a reminder: how long before the lesson, and the moment that makes.
    ahead_minutes: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime | None]
    recipient_id: Mapped[uuid.UUID]
    recipient_email: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    skipped_at: Mapped[datetime | None]
    error: Mapped[str | None]


class MailText(OrganizationKey, Base):
    """What a school says in one kind of mail, in its own words; what is empty says CourseCove's."""

    __tablename__ = "mail_texts"

    kind: Mapped[str] = mapped_column(primary_key=True)
    locale: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(default="")
    opening: Mapped[str] = mapped_column(default="")
    closing: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CalendarFeed(Identified, Base):
    """A private address of a calendar: somebody's lessons, what they teach, or what is at a location.

    Only the digest of its secret is kept, so that a copy of the database opens none.
    """

    __tablename__ = "calendar_feeds"

    token_digest: Mapped[str]
    kind: Mapped[str]
    member_id: Mapped[uuid.UUID | None]
    location_id: Mapped[uuid.UUID | None]
    created_by_id: Mapped[uuid.UUID]
    revoked_at: Mapped[datetime | None]
    last_read_at: Mapped[datetime | None]
