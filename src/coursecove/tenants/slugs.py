"""Which subdomain a school may have, and how it gets one.

A subdomain that was ever given out stays its school's for good, also after it
moved or was deleted: another school there would receive its links and visitors.
"""

from __future__ import annotations

import re
import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.text import numbered, slugify

# Names with a meaning of their own: ours today or tomorrow, or believed by people.
_WORDS = """
    about abuse account accounts admin administrator api app apps assets auth autoconfig autodiscover
    billing blog book booking bookings calendar cdn clerk community contact coursecove dashboard demo
    dev developer developers docs download email example feed feeds files forum ftp get git graphql
    health help home hostmaster id images imap img info internal invite jobs join legal live localhost
    login logout m mail mailbox marketplace me media metrics mobile mx my news newsletter noreply ns ns1
    ns2 oauth operator partners pay payment payments platform pop pop3 portal postmaster press preview
    pricing privacy register root sandbox school schools search secure security server shop sign-in
    sign-up signin signup smtp sso staging static status store support system teach terms test tests
    token tokens upload video webhook webhooks webmaster webmail ws www www1 www2
"""
RESERVED = frozenset(_WORDS.split())
LONGEST = 60
_USABLE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TRIES = 1_000


class NoSubdomainLeft(Exception):
    """A thousand variations of a name are taken; somebody has to choose another."""


def is_reserved(slug: str) -> bool:
    """Say whether no school may live at ``slug``; names in Punycode could imitate another school."""
    return slug in RESERVED or slug.startswith("xn--")


def derive(clerk_slug: str | None, name: str) -> str:
    """Return the subdomain a new school would like: Clerk's slug if it is a label, else made from its name."""
    return usable(clerk_slug) or slugify(name, fallback="school", longest=LONGEST)


def usable(clerk_slug: str | None) -> str | None:
    """Return Clerk's slug as a subdomain label, or None when it cannot be one."""
    slug = (clerk_slug or "").lower()
    return slug[:LONGEST].rstrip("-") if _USABLE.fullmatch(slug) else None


_CURRENT = text("select slug from subdomains where organization_id = :organization_id and retired_at is null")
# Taken as retired first: a school has one current subdomain at a time, and a
# name that another transaction is just taking must be waited for, not guessed.
_RESERVE = text("""
insert into subdomains (slug, organization_id, retired_at) values (:slug, :organization_id, now())
on conflict (slug) do nothing
""")
_OWNER = text("select organization_id from subdomains where slug = :slug")
_RETIRE = text("""
update subdomains set retired_at = now() where organization_id = :organization_id and retired_at is null
""")
_TAKE = text("update subdomains set retired_at = null where slug = :slug")


async def settle(session: AsyncSession, organization_id: uuid.UUID, wish: str) -> str:
    """Move a school to ``wish``, or to ``wish-2``, ``wish-3`` … when that is not to be had; return which.

    The subdomain it leaves is retired, and it may come back to it later.
    Needs the lock of the organization.
    """
    current = await session.scalar(_CURRENT, {"organization_id": organization_id})
    for number in range(1, _TRIES):
        slug = numbered(wish, number, longest=LONGEST)
        if slug == current:
            return slug
        if is_reserved(slug):
            continue
        await session.execute(_RESERVE, {"slug": slug, "organization_id": organization_id})
        if await session.scalar(_OWNER, {"slug": slug}) == organization_id:
            await retire(session, organization_id)
            await session.execute(_TAKE, {"slug": slug})
            return slug
    raise NoSubdomainLeft(wish)


async def retire(session: AsyncSession, organization_id: uuid.UUID) -> None:
    """Take a school off the air; its subdomain is never given to another."""
    await session.execute(_RETIRE, {"organization_id": organization_id})
