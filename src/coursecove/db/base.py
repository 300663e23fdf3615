"""The declarative base of every room's tables."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from advanced_alchemy.base import CommonTableAttributes, create_registry
from sqlalchemy import DateTime, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column


class Base(CommonTableAttributes, AsyncAttrs, DeclarativeBase):
    """Base of every table; ``dict`` columns are JSONB, ``datetime`` columns are timestamptz."""

    __abstract__ = True
    registry = create_registry(custom_annotation_map={dict: JSONB, datetime: DateTime(timezone=True)})


class OrganizationKey:
    """Mixin of every tenant table: the organization is the first half of the primary key.

    Every foreign key and unique key begins with ``organization_id`` too, so a
    reference into another organization cannot be written down at all.
    """

    @declared_attr
    @classmethod
    def organization_id(cls) -> Mapped[uuid.UUID]:
        """The organization this row belongs to; never changes (no grant to update it)."""
        return mapped_column(primary_key=True, sort_order=-20)


class Identified(OrganizationKey):
    """A tenant row with an id of its own and the instant it was made."""

    @declared_attr
    @classmethod
    def id(cls) -> Mapped[uuid.UUID]:
        """Second half of the primary key."""
        return mapped_column(primary_key=True, default=uuid.uuid4, sort_order=-19)

    @declared_attr
    @classmethod
    def created_at(cls) -> Mapped[datetime]:
        """When the row was made, by the database's clock."""
        return mapped_column(server_default=func.now(), sort_order=90)


Json = dict[str, Any]
