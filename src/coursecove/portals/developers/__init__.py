"""For people who write programs: the API's documentation as a page."""

from __future__ import annotations

from typing import Any

from coursecove.portals.developers.documentation import documentation

HANDLERS: list[Any] = [documentation]
