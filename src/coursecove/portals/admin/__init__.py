"""The admin portal."""

from __future__ import annotations

from typing import Any

HANDLERS: list[Any] = []
