"""The ledger of everything that was sent to us, and what became of it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, deferred, mapped_column

from coursecove.db.base import Base


class WebhookEvent(Base):
    """One signed message, known by its sender and the sender's id for it.

    ``status`` is ``pending`` (due at ``next_attempt_at``), ``processing`` (leased
    until ``lease_expires_at``), ``completed`` or ``failed``.  The body is what was
    signed, byte for byte; it holds personal data, so it is loaded on purpose only.
    """

    __tablename__ = "webhook_events"

    source: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    event_type: Mapped[str]
    entity_id: Mapped[str | None]
    entity_version: Mapped[int | None]
    status: Mapped[str]
    outcome: Mapped[str | None]
    path: Mapped[str | None]
    waiting_for: Mapped[str | None]
    waiting_since: Mapped[datetime | None]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    woken_at: Mapped[datetime | None]
    lease_token: Mapped[uuid.UUID | None]
    lease_expires_at: Mapped[datetime | None]
    error: Mapped[str | None]
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body: Mapped[bytes] = deferred(mapped_column(), raiseload=True)
    processing_ms: Mapped[int | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    processed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
