"""The mailbox as a page: what CourseCove sent, as its readers would see it."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect

from coursecove.dev.mailbox import Mailbox, MessageNotFound

_HEADERS = {
    # A mail is foreign HTML: it may look as it likes and do nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_environment = Environment(
    loader=PackageLoader("coursecove.dev", "mailbox_templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _page(template: str, **context: Any) -> Response[str]:
    html = _environment.get_template(template).render(**context)
    return Response(html, media_type="text/html; charset=utf-8", headers=_HEADERS)


def _mailbox(request: Request[Any, Any, Any]) -> Mailbox:
    mailbox: Mailbox = request.app.state.mailbox
    return mailbox


@get("/")
async def inbox(request: Request[Any, Any, Any]) -> Response[str]:
    """List the newest messages."""
    return _page("inbox.html", messages=_mailbox(request).messages(limit=100))


@get("/messages/{message_id:str}")
async def message(request: Request[Any, Any, Any], message_id: FromPath[str]) -> Response[str]:
    """Show one message with its headers and attachments."""
    return _page("message.html", message=_mailbox(request).get(message_id))


@get("/messages/{message_id:str}/html")
async def message_html(request: Request[Any, Any, Any], message_id: FromPath[str]) -> Response[str]:
    """Return the HTML part by itself, for the frame that shows it."""
    html = _mailbox(request).get(message_id).html
    if html is None:
        raise NotFoundException
    return Response(html, media_type="text/html; charset=utf-8", headers=_HEADERS)


@get("/messages/{message_id:str}/attachments/{name:str}")
async def attachment(
    request: Request[Any, Any, Any], message_id: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """Hand an attachment over as a download."""
    content = _mailbox(request).attachment(message_id, name)
    return Response(
        content,
        media_type="application/octet-stream",
        headers={**_HEADERS, "Content-Disposition": "attachment"},
    )


@post("/clear")
async def clear(request: Request[Any, Any, Any]) -> Redirect:
    """Empty the mailbox."""
    _mailbox(request).clear()
    return Redirect("/", status_code=303)


def _missing(_: Request[Any, Any, Any], error: MessageNotFound) -> Response[str]:
    return Response(str(error) or "No such message.", status_code=404, media_type="text/plain")


def create_mailbox_app(mailbox: Mailbox) -> Litestar:
    """Return the application that shows ``mailbox``."""
    return Litestar(
        [inbox, message, message_html, attachment, clear],
        state=State({"mailbox": mailbox}),
        exception_handlers={MessageNotFound: _missing},
        openapi_config=None,
        logging_config=None,
    )
