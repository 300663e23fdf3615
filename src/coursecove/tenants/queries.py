"""Selects over organizations and their people, for use inside one organization."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, or_, select

from coursecove.tenants.models import InstructorProfile, Member


def current_members() -> Select[Member]:
    """Everybody who belongs to the school now, those an admin has shut out among them."""
    return select(Member).where(Member.removed_at.is_(None))


def active_members() -> Select[Member]:
    """Everybody who belongs to the school now and may come in."""
    return current_members().where(Member.deactivated_at.is_(None))


def searched(statement: Select[Member], search: str) -> Select[Member]:
    """Narrow to people whose name or address contains every word of ``search``."""
    for word in search.split()[:5]:
        pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        name = func.concat_ws(" ", Member.given_name, Member.family_name, Member.email)
        statement = statement.where(name.ilike(pattern, escape="\\"))
    return statement


def instructors(*, include_deactivated: bool = False) -> Select[Member, InstructorProfile | None]:
    """Everybody who teaches: instructors, and admins who have a profile."""
    statement: Select[Any, Any] = (
        select(Member, InstructorProfile)
        .outerjoin(
            InstructorProfile,
            (InstructorProfile.organization_id == Member.organization_id)
            & (InstructorProfile.member_id == Member.id),
        )
        .where(
            Member.removed_at.is_(None),
            or_(
                Member.role == "instructor",
                (Member.role == "admin") & InstructorProfile.member_id.is_not(None),
            ),
        )
        .order_by(Member.given_name, Member.family_name, Member.id)
    )
    return statement if include_deactivated else statement.where(Member.deactivated_at.is_(None))
