"""Is this process alive, and may it serve?

Liveness asks nothing of anybody.  Readiness asks what would make every answer
wrong: the database roles, the migrations, Redis.  A process that could bypass
row-level security is not ready, whatever else works.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db import migrate
from coursecove.db.gauges import StoredGauges
from coursecove.db.rls import APP_ROLE, PLATFORM_ROLE, ROLE_CHECK
from coursecove.resources import Resources

CHECK_SECONDS = 3.0


class Check(Struct, frozen=True):
    """One thing that was looked at; ``detail`` says what to do when it is not well."""

    name: str
    ok: bool
    detail: str


async def _role(session: AsyncSession, expected: str) -> str | None:
    row = (await session.execute(text(ROLE_CHECK))).mappings().one()
    if row["superuser"]:
        return f"connected as superuser {row['role']}: row-level security would not hold; connect as {expected}"
    if row["bypasses"]:
        return f"role {row['role']} has BYPASSRLS: take it away, or connect as {expected}"
    if row["owns_tables"]:
        return f"role {row['role']} owns tables: connect as {expected}, not as the owner"
    if row["role"] != expected:
        return f"connected as {row['role']}: connect as {expected}"
    return None


async def _app_role(resources: Resources) -> Check:
    async with resources.database.outside() as session:
        problem = await _role(session, APP_ROLE)
    return Check("database", problem is None, problem or f"connected as {APP_ROLE}")


async def _platform_role(resources: Resources) -> Check:
    async with resources.database.platform_scope() as session:
        problem = await _role(session, PLATFORM_ROLE)
    return Check("database_platform", problem is None, problem or f"connected as {PLATFORM_ROLE}")


async def _migrations(resources: Resources) -> Check:
    async with resources.database.outside() as session:
        current = await migrate.current(session)
    wanted = migrate.newest()
    ok = current == wanted
    return Check(
        "migrations",
        ok,
        f"at {wanted}"
        if ok
        else f"database is at {current or 'nothing'}, this release needs {wanted}: run coursecove migrate",
    )


async def _redis(resources: Resources) -> Check:
    await resources.redis.ping()
    return Check("redis", True, "answers")


async def _guarded(name: str, check: Awaitable[Check]) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check
    except TimeoutError:
        return Check(name, False, f"no answer within {CHECK_SECONDS:.0f} s")
    except Exception as error:
        # The driver's message may name hosts and users, never a password.
        return Check(name, False, f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")


async def run_checks(resources: Resources) -> list[Check]:
    """Ask everything readiness depends on, at once, each within three seconds."""
    return list(
        await asyncio.gather(
            _guarded("database", _app_role(resources)),
            _guarded("database_platform", _platform_role(resources)),
            _guarded("migrations", _migrations(resources)),
            _guarded("redis", _redis(resources)),
        )
    )


@get("/health/live", operation_id="health_live", include_in_schema=False, sync_to_thread=False)
def live() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "alive"}


@get("/health/ready", operation_id="health_ready", include_in_schema=False)
async def ready(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Say whether this process may serve, and what is in the way."""
    checks = await run_checks(request.app.state.resources)
    ok = all(check.ok for check in checks)
    return Response(
        {"status": "ready" if ok else "not ready", "checks": checks}, status_code=200 if ok else 503
    )


@get("/metrics", include_in_schema=False)
async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer Prometheus: with ``METRICS_TOKEN`` set to its bearer, otherwise to this machine only."""
    token = request.app.state.resources.settings.metrics_token
    if token:
        sent = request.headers.get("authorization", "")
        allowed = hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())
    else:
        client = request.scope.get("client")
        forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
        allowed = client is not None and client[0] in ("127.0.0.1", "::1") and not forwarded
    if not allowed:
        raise NotFoundException
    gauges: list[StoredGauges] = request.app.state.gauges
    await asyncio.gather(*(each.refresh() for each in gauges))
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


HEALTH_HANDLERS: list[Any] = [live, ready, metrics]
