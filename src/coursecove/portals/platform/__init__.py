"""The bare domain: what CourseCove is."""

from __future__ import annotations

from typing import Any

from coursecove.portals.platform.landing import landing

HANDLERS: list[Any] = [landing]
