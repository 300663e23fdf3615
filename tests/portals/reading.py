"""Reading pages as a person does: links, fields, what is said."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx

RAW_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def text_of(page: httpx.Response) -> str:
    """Return what a reader sees: no markup, no repeated blanks."""
    body = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", page.text)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def links(page: httpx.Response, pattern: str) -> list[str]:
    """Return the addresses of links that match ``pattern``, in order."""
    found = (html.unescape(href) for href in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', page.text))
    return [href for href in found if re.search(pattern, href)]


def buttons(page: httpx.Response, name: str) -> list[str]:
    """Return the values of the submit buttons called ``name``."""
    found = re.findall(rf'<button\b[^>]*name="{name}" value="([^"]*)"', page.text)
    return [html.unescape(value) for value in found]


def hidden_fields(page: httpx.Response) -> dict[str, str]:
    """Return the hidden fields of the forms in the page's content; what frames it has forms of its own."""
    content = page.text.partition("<main")[2].partition("</main>")[0]
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', content)
    return {name: html.unescape(value) for name, value in found}


def a_later_day(*, weekday: int, weeks: int = 2) -> str:
    """Return a day some weeks ahead with this ISO weekday, as it stands in an address."""
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=weeks)
    return (monday + timedelta(days=weekday - 1)).isoformat()


def times_of(page: httpx.Response) -> list[str]:
    """Return the links to the times a booking page offers."""
    return links(page, r"[?&]time=")


def fields_of(href: str) -> dict[str, str]:
    """Return the query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(href).query).items()}
