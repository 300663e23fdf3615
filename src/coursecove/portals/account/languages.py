"""Choosing the language one reads; kept by the browser, for this school."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import Cookie

from coursecove.config import Settings
from coursecove.i18n import LANGUAGES
from coursecove.identity.cookies import own_name
from coursecove.portals.forms import read_form
from coursecove.portals.pages import local_path, redirect

_A_YEAR = 31_536_000


@post("/language", include_in_schema=False)
async def choose_language(request: Request[Any, Any, Any]) -> Response[Any]:
    """Speak another language from now on and go back to the page it was chosen on.

    A language we do not speak changes nothing.
    """
    values = await read_form(request, fields=("language", "return_to"))
    answer = redirect(request, local_path(values.get("return_to")))
    chosen = values.get("language")
    if chosen in LANGUAGES:
        answer.set_cookie(spoken_cookie(request, chosen))
    return answer


def spoken_cookie(request: Request[Any, Any, Any], language: str) -> Cookie:
    """Return the cookie by which this school speaks ``language`` to this browser."""
    settings: Settings = request.app.state.resources.settings
    return Cookie(
        key=own_name(settings.origin(), "lang"),
        value=language,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.public_scheme == "https",
        max_age=_A_YEAR,
    )
