"""Everything below /api/v1, room by room."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.spec import (
    Components,
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    Schema,
)

from coursecove.appointments.controllers import API_CONTROLLERS as APPOINTMENTS
from coursecove.bookings.controllers import API_CONTROLLERS as BOOKINGS
from coursecove.errors import Malformed
from coursecove.i18n import _
from coursecove.lists.controllers import API_CONTROLLERS as LISTS
from coursecove.notifications.controllers import API_CONTROLLERS as NOTIFICATIONS
from coursecove.problems import PROBLEM_JSON, field_errors
from coursecove.scheduling.controllers import API_CONTROLLERS as SCHEDULING
from coursecove.tenants.controllers import API_CONTROLLERS as TENANTS

API_HANDLERS: list[Any] = [
    *TENANTS,
    *APPOINTMENTS,
    *SCHEDULING,
    *BOOKINGS,
    *NOTIFICATIONS,
    *LISTS,
]


class ApiRequest(Request[Any, Any, Any]):
    """A request whose JSON body has to have the documented types.

    Litestar converts a body as leniently as a query, in which everything is
    text: 0 would be taken for false, and "30" for a number.
    """

    async def json(self) -> Any:
        """Return the parsed body; raises :class:`Malformed` at the field that has another type."""
        body = await super().json()
        expected = self.route_handler.parsed_data_field
        if expected is not None:
            try:
                msgspec.convert(body, expected.annotation)
            except msgspec.ValidationError as error:
                fields = field_errors(error).fields
                raise Malformed(_("The request does not fit the documentation."), fields=fields) from None
        return body


_PROBLEM = Schema(
    title="Problem",
    description="What the API answers instead of what was asked for (RFC 9457).",
    type=OpenAPIType.OBJECT,
    required=["type", "title", "status", "code"],
    properties={
        "type": Schema(type=OpenAPIType.STRING, description="A URN made from the code."),
        "title": Schema(type=OpenAPIType.STRING, description="A sentence for a person."),
        "status": Schema(type=OpenAPIType.INTEGER, description="The HTTP status."),
        "code": Schema(type=OpenAPIType.STRING, description="Stable; what a program decides by."),
        "detail": Schema(type=OpenAPIType.STRING, description="The fact, and what to do."),
        "fields": Schema(
            type=OpenAPIType.OBJECT,
            description="Field → message, where single fields are at fault.",
            additional_properties=Schema(type=OpenAPIType.STRING),
        ),
    },
)
# What any address of the API may answer instead of what was asked for.
_ALWAYS = {
    "400": "The request could not be read",
    "401": "Nobody is signed in, or not at this school",
    "403": "The person may not do this",
    "404": "There is no such thing here",
    "429": "Asked too often; try again after `Retry-After` seconds",
    "503": "A service did not answer; try again after `Retry-After` seconds",
}
_ASKING = {"422": "Fields are not valid; `fields` says which and why"}
_WRITING = {
    "409": "The present state of things refuses it",
    "413": "The body is too large",
    "415": "The body has another content type than JSON",
    **_ASKING,
}


def _parameters(operation: Operation) -> list[Parameter]:
    return [one for one in operation.parameters or () if isinstance(one, Parameter)]


def describe_refusals(document: OpenAPI) -> None:
    """Write the answers that refuse a request into every operation of the document.

    They come from one place in the code (the exception handler), so they are
    described in one place too.
    """
    if not isinstance(document.components, Components):
        document.components = Components()
    document.components.schemas["Problem"] = _PROBLEM
    media = OpenAPIMediaType(schema=Reference(ref="#/components/schemas/Problem"))
    for path in (document.paths or {}).values():
        for operation in (path.get, path.post, path.put, path.patch, path.delete):
            if operation is None:
                continue
            refusals = dict(_ALWAYS)
            if operation is not path.get:
                refusals |= _WRITING
            elif any(parameter.param_in == "query" for parameter in _parameters(operation)):
                refusals |= _ASKING
            described: dict[str, Any] = {
                code: OpenAPIResponse(description=text, content={PROBLEM_JSON: media})
                for code, text in refusals.items()
            }
            operation.responses = {**(operation.responses or {}), **described}
