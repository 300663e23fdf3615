"""From a host name to a school, remembered for a few seconds.

The look-up is asked on every request of every visitor, also for names that do
not exist; so answers of both kinds are kept, for a short time and in a bounded
number.  Between processes nothing is shared: a renamed school is found by
everyone within :data:`FRESH_SECONDS`.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Database, after_commit
from coursecove.tenants.models import Organization
from coursecove.tenants.schemas import OrganizationView
from coursecove.tenants.service import organization_view

FRESH_SECONDS = 5.0
# A school that has just been founded is looked for by its founder at once.
UNKNOWN_SECONDS = 1.0
REMEMBERED = 10_000


class Directory:
    """Finds schools by subdomain for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[str, tuple[float, OrganizationView | None]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[OrganizationView | None]] = {}

    async def find(self, slug: str) -> OrganizationView | None:
        """Return the school that lives at ``slug`` now; None for unknown and retired names alike."""
        known = self._known.get(slug)
        if known and time.monotonic() < known[0]:
            return known[1]
        # One question per name however many ask, and no one of them who goes
        # away takes the answer along.
        task = self._asking.get(slug)
        if task is None:
            task = asyncio.create_task(self._ask(slug))
            self._asking[slug] = task
            task.add_done_callback(lambda _: self._asking.pop(slug, None))
        return await asyncio.shield(task)

    def forget_after_commit(self, session: AsyncSession, slug: str) -> None:
        """Ask again once this unit of work is durable: it changes the school."""

        async def forget() -> None:
            self._known.pop(slug, None)

        after_commit(session, forget)

    async def _ask(self, slug: str) -> OrganizationView | None:
        async with self._database.platform_scope() as session:
            organization = await session.scalar(
                select(Organization)
                .from_statement(
                    text(
                        "select organizations.* from subdomains "
                        "join organizations on organizations.id = subdomains.organization_id "
                        "where subdomains.slug = :slug and subdomains.retired_at is null "
                        "and organizations.deleted_at is null"
                    )
                )
                .params(slug=slug)
            )
        view = organization_view(organization) if organization else None
        self._known[slug] = (time.monotonic() + (FRESH_SECONDS if view else UNKNOWN_SECONDS), view)
        self._known.move_to_end(slug)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return view

    async def listed(self, *, limit: int = 50) -> list[OrganizationView]:
        """Return schools by name, for the landing page of a developer's machine."""
        async with self._database.platform_scope() as session:
            found = await session.scalars(
                select(Organization)
                .where(Organization.deleted_at.is_(None))
                .order_by(Organization.name, Organization.id)
                .limit(limit)
            )
            return [organization_view(organization) for organization in found]
