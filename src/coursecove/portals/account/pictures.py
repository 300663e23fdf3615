"""Uploaded pictures, as every page of a school shows them."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.tenants import service as tenants


@get("/pictures/{digest:str}", include_in_schema=False)
async def picture(session: NamedDependency[AsyncSession], digest: FromPath[str]) -> Response[Any]:
    """Return a picture of this school; its address says what it holds, so it may be kept for good."""
    found = await tenants.find_picture(session, digest)
    return Response(
        found.content,
        media_type=found.media_type,
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            # Whatever a browser takes it for, it is nothing but a picture.
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-site",
        },
    )
