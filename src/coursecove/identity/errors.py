"""Failures of identity that a person or a client can act on."""

from __future__ import annotations

from coursecove.errors import Unavailable
from coursecove.i18n import N_


class SigningKeysUnavailable(Unavailable):
    """Clerk's signing keys could not be fetched and none are remembered.

    Neither "signed in" nor "signed out" would be true, so the request fails.
    """

    code = "identity_unavailable"
    title = N_("Signing in is unavailable for a moment")


class ClerkApiError(Unavailable):
    """Clerk's Backend API refused a call or did not answer.

    ``clerk_code`` is Clerk's own error code (``resource_not_found``, …) or
    ``unreachable``; ``clerk_status`` its HTTP status, 0 when there was no
    answer; ``retry_after_seconds`` how long a 429 asked to wait.  Callers that
    can do something about a code look at these; to everybody else it is a
    service that is not available.
    """

    code = "identity_unavailable"
    title = N_("Clerk did not do what we asked")

    def __init__(
        self, code: str, status: int, message: str, *, retry_after_seconds: float | None = None
    ) -> None:
        self.clerk_code = code
        self.clerk_status = status
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
