"""Pages and forms for people: the school, its teachers, its students, the platform.

Refuses to hold rules: a page asks a room for a view and calls its verbs.
"""

from __future__ import annotations

from typing import Any

from litestar import Router

from coursecove.portals import account, admin, csrf, developers, platform, student, teach


def _pages(*handlers: Any) -> list[Any]:
    """Return the handlers behind the check of the forms' token: no page is served without it."""
    return [Router(path="/", route_handlers=list(handlers), before_request=csrf.require_token)]


SCHOOL_HANDLERS: list[Any] = _pages(
    *account.HANDLERS,
    *developers.HANDLERS,
    *student.HANDLERS,
    *teach.HANDLERS,
    *admin.HANDLERS,
)
PLATFORM_HANDLERS: list[Any] = _pages(*platform.HANDLERS)
