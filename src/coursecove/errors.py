"""Failures a person or a client can act on.

A :class:`CourseCoveError` names a fact ("this time is taken"), carries a stable
machine ``code`` and the HTTP status that fits, and never carries a secret or a
stack trace.  ``app.py`` renders it: ``application/problem+json`` for the API, a
page or an inline message for people.  Anything else that escapes is a defect
and becomes a plain 500.
"""

from __future__ import annotations

from typing import Any, ClassVar

from coursecove.i18n import N_


class CourseCoveError(Exception):
    """Base of all expected failures.

    ``fields`` maps the name of an input field to the message shown beside it;
    ``extra`` is added to the problem document as is, so it must be encodable.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    title: ClassVar[str] = N_("That did not work")

    def __init__(
        self,
        detail: str | None = None,
        *,
        fields: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.detail = detail
        self.fields = fields or {}
        self.extra = extra or {}
        super().__init__(detail or self.title)


class Invalid(CourseCoveError):
    """What was sent cannot be used as it is; ``fields`` says where and why."""

    code = "invalid"
    status = 422
    title = N_("Please check the marked fields")


class Malformed(CourseCoveError):
    """The request itself cannot be read (not JSON, unknown field, wrong type)."""

    code = "malformed"
    status = 400
    title = N_("The request could not be read")


class Unauthenticated(CourseCoveError):
    """Nobody is signed in, or the proof of it does not hold here."""

    code = "unauthenticated"
    status = 401
    title = N_("Please sign in")


class Forbidden(CourseCoveError):
    """The person is known but may not do this."""

    code = "forbidden"
    status = 403
    title = N_("You don't have access to this")


class NotFound(CourseCoveError):
    """There is no such thing here, or none this person may know of."""

    code = "not_found"
    status = 404
    title = N_("Not found")


class Conflict(CourseCoveError):
    """The request is fine, but the present state of things refuses it."""

    code = "conflict"
    status = 409
    title = N_("That is no longer possible")


class Unavailable(CourseCoveError):
    """A service CourseCove needs did not answer; trying again later may help."""

    code = "unavailable"
    status = 503
    title = N_("CourseCove is having a moment")
