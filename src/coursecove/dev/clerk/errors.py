"""Refusals in Clerk's own shape."""

from __future__ import annotations

from typing import Any


class ClerkRefusal(Exception):
    """A refusal with Clerk's error code; rendered as ``{"errors": […], "clerk_trace_id": …}``."""

    def __init__(self, status: int, code: str, message: str, *, parameter: str | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.parameter = parameter
        super().__init__(message)

    def document(self, trace_id: str) -> dict[str, Any]:
        """Return the body of the answer."""
        meta = {"param_name": self.parameter} if self.parameter else {}
        return {
            "errors": [
                {
                    "message": self.message,
                    "long_message": self.message,
                    "code": self.code,
                    "meta": meta,
                }
            ],
            "clerk_trace_id": trace_id,
        }


def not_found(what: str, subject_id: str) -> ClerkRefusal:
    """Return the refusal for an id nobody has."""
    return ClerkRefusal(404, "resource_not_found", f"No {what} was found with ID {subject_id}")


class StandInRefused(Exception):
    """The stand-in was asked to run where it must not."""
