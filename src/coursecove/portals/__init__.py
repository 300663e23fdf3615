"""Pages and forms for people: the school, its teachers, its students, the platform.

Refuses to hold rules: a page asks a room for a view and calls its verbs.
"""

from __future__ import annotations

from typing import Any

from coursecove.portals import account, admin, developers, platform, student, teach

SCHOOL_HANDLERS: list[Any] = [
    *account.HANDLERS,
    *developers.HANDLERS,
    *student.HANDLERS,
    *teach.HANDLERS,
    *admin.HANDLERS,
]
PLATFORM_HANDLERS: list[Any] = [*platform.HANDLERS]
