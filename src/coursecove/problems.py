"""Failures as ``application/problem+json`` (RFC 9457), for programs.

Every problem has a stable ``code`` beside the RFC's members, and ``fields``
where single fields are at fault.  Nothing of a stack trace, a query or a
payload ever gets in.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar.exceptions import HTTPException, ValidationException
from psycopg.errors import CharacterNotInRepertoire, UntranslatableCharacter
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from coursecove.errors import CourseCoveError, Invalid, Malformed, Unavailable
from coursecove.i18n import N_, _

log = structlog.get_logger("coursecove.problems")

PROBLEM_JSON = "application/problem+json"

_CODES = {
    400: ("malformed", "The request could not be read"),
    401: ("unauthenticated", "Please sign in"),
    403: ("forbidden", "You don't have access to this"),
    404: ("not_found", "Not found"),
    405: ("method_not_allowed", "This address does not take that method"),
    406: ("not_acceptable", "This address cannot answer in the format you asked for"),
    413: ("too_large", "The request is too large"),
    415: ("unsupported_media_type", "This address does not take that content type"),
    429: ("too_many_requests", "Too many requests"),
}


class TooLarge(CourseCoveError):
    """The body is larger than this address takes."""

    code = "too_large"
    status = 413
    title = N_("The request is too large")


def as_expected(error: BaseException) -> CourseCoveError | None:
    """Return the expected failure behind ``error``; None when it is a defect of ours."""
    if isinstance(error, CourseCoveError):
        return error
    if isinstance(error, ValidationException):
        return _from_validation(error)
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout | ConnectionError):
        return Unavailable(_("The database did not answer in time. Please try again in a moment."))
    if isinstance(error, DBAPIError) and _is_about_text(error.orig):
        return Malformed(_("Text must not contain NUL characters."))
    if isinstance(error, UnicodeError):
        return Malformed(_("Text must be valid Unicode."))
    if isinstance(error, RecursionError) and "deserializing" in str(error):
        return Malformed(_("The body is nested too deeply."))
    return None


def _is_about_text(error: BaseException | None) -> bool:
    # Postgres stores no NUL: psycopg says so before sending text, the server for JSON.
    return isinstance(error, CharacterNotInRepertoire | UntranslatableCharacter) or "NUL" in str(error)


def _from_validation(error: ValidationException) -> CourseCoveError:
    """Return a malformed or invalid request with one message per field."""
    fields: dict[str, str] = {}
    extra = error.extra if isinstance(error.extra, list) else []
    for problem in extra:
        if isinstance(problem, dict):
            # A parameter that Python has a word for ("from") has a longer name here, and nowhere else.
            name = str(problem.get("key") or "body").removesuffix("_")
            fields[name] = str(problem.get("message", "is not valid"))
    if not fields:
        return Malformed(_("The request could not be read. Check the body against the documentation."))
    return Malformed(_("The request does not fit the documentation."), fields=fields)


def problem(error: CourseCoveError) -> dict[str, Any]:
    """Return the problem document of an expected failure."""
    document: dict[str, Any] = {
        "type": f"urn:coursecove:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
    }
    if error.detail:
        document["detail"] = error.detail
    if error.fields:
        document["fields"] = error.fields
    return {**error.extra, **document}


def encode(error: BaseException) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of the answer to any failure, logging what is a defect."""
    expected = as_expected(error)
    headers: dict[str, str] = {}
    if expected is None and isinstance(error, HTTPException) and error.status_code < 500:
        code, title = _CODES.get(
            error.status_code, (f"http_{error.status_code}", HTTPStatus(error.status_code).phrase)
        )
        document = {
            "type": f"urn:coursecove:problem:{code}",
            "title": title,
            "status": error.status_code,
            "code": code,
        }
        headers = {
            k.lower(): v for k, v in (error.headers or {}).items() if k.lower() in ("allow", "retry-after")
        }
        return error.status_code, msgspec.json.encode(document), headers
    if expected is None:
        log.error("unexpected_failure", exc_info=error)
        document = {
            "type": "urn:coursecove:problem:internal",
            "title": "Something went wrong on our side",
            "status": 500,
            "code": "internal",
        }
        return 500, msgspec.json.encode(document), headers
    if expected.status == 401:
        headers["www-authenticate"] = "Bearer"
    if expected.status == 503:
        log.warning("unavailable", code=expected.code, error=type(error).__name__)
        headers["retry-after"] = "5"
    return expected.status, msgspec.json.encode(problem(expected)), headers


def field_errors(error: msgspec.ValidationError, *, messages: dict[str, str] | None = None) -> Invalid:
    """Return the :class:`Invalid` for a failed ``msgspec.convert``, at the field it names.

    ``messages`` may say it better for a field than msgspec does.
    """
    text = str(error)
    field = "form"
    if " - at `$." in text:
        text, _separator, path = text.partition(" - at `$.")
        field = path.rstrip("`").split(".")[0].split("[")[0]
    elif "missing required field `" in text:
        field = text.split("`")[1]
        text = _("This is needed.")
    elif "unknown field `" in text:
        field = text.split("`")[1]
    return Invalid(fields={field: (messages or {}).get(field, text)})
