"""Reading the admin portal's pages, and filling in its forms, as a person without JavaScript would."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser

import httpx

from coursecove.portals import csrf


class _Form(HTMLParser):
    """The fields of the form with a given action, as a browser would send them."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action
        self.inside = False
        self.fields: list[tuple[str, str]] = []
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []
        self._textarea: str | None = None
        self._typed = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.inside = given.get("action") == self.action
        if not self.inside:
            return
        name = given.get("name")
        if tag == "input" and name:
            chosen = given.get("type") not in ("checkbox", "radio") or "checked" in given
            if chosen:
                self.fields.append((name, given.get("value") or ""))
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option":
            self._options.append((given.get("value") or "", "selected" in given))
        elif tag == "textarea":
            self._textarea, self._typed = name, ""

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._typed += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select" and self._select and self.inside:
            chosen = [value for value, selected in self._options if selected] or [self._options[0][0]]
            self.fields.append((self._select, chosen[0]))
            self._select = None
        elif tag == "textarea" and self._textarea:
            # The line break after the opening tag is not part of the value.
            self.fields.append((self._textarea, self._typed.removeprefix("\n")))
            self._textarea = None


def fields(page: httpx.Response, action: str) -> dict[str, list[str]]:
    """Return what the form with this action would send; empty when there is no such form.

    Without the form's token: the client sends one as a header.
    """
    parser = _Form(action)
    parser.feed(page.text)
    found: dict[str, list[str]] = {}
    for name, value in parser.fields:
        if name != csrf.FIELD:
            found.setdefault(name, []).append(value)
    return found


def message_at(page: httpx.Response, field: str) -> str | None:
    """Return the message beside a field."""
    found = re.search(rf'id="f-{re.escape(field)}-error">.*?<span>(.*?)</span>', page.text, re.DOTALL)
    return html.unescape(found[1]) if found else None


def send(
    client: httpx.Client, path: str, values: Mapping[str, Sequence[str]] | None = None, **changes: Sequence[str]
) -> httpx.Response:
    """Post a form with some of its values changed."""
    return client.post(path, data={**(values or {}), **changes})


def fill_in(client: httpx.Client, path: str, **changes: Sequence[str]) -> httpx.Response:
    """Open the page of a form, change some values and send it to the same address."""
    page = client.get(path)
    assert page.status_code == 200, page.status_code
    return send(client, path, fields(page, path), **changes)


def href_of(page: httpx.Response, label: str) -> str:
    """Return where the link with this text leads."""
    for href, inside in re.findall(r'<a[^>]*href="([^"]+)"[^>]*>(.*?)</a>', page.text, re.DOTALL):
        if " ".join(html.unescape(re.sub(r"<[^>]+>", " ", inside)).split()) == label:
            return html.unescape(href)
    raise AssertionError(f"no link “{label}”")


def follow(client: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Go where an answer leads, with the sentence it had to say there, as a browser would."""
    assert answer.status_code == 303, answer.status_code
    said = answer.headers.get("set-cookie", "").partition(";")[0]
    cookie = "; ".join(part for part in (client.headers.get("Cookie"), said) if part)
    return client.get(answer.headers["location"], headers={"Cookie": cookie})


def undo(client: httpx.Client, page: httpx.Response) -> httpx.Response:
    """Press the button of the sentence that stands on a page after a form."""
    form = page.text.partition('<form class="flash-undo"')[2].partition("</form>")[0]
    found = re.search(r'action="([^"]*)"', form)
    assert found, "nothing can be undone"
    values: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form):
        if name != csrf.FIELD:
            values.setdefault(name, []).append(html.unescape(value))
    # A form without fields is one all the same.
    return send(client, html.unescape(found[1]), values or {csrf.FIELD: [""]})
