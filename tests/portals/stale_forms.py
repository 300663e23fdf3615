"""Two people with one form open: what a test needs to say so, for any form that is drawn carefully."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import httpx

from tests.portals.admin_pages import fields, fill_in, send

Typed = dict[str, Sequence[str]]


def save_after(
    client: httpx.Client, path: str, *, theirs: Typed, mine: Typed, them: httpx.Client | None = None
) -> httpx.Response:
    """Open the form, have ``them`` save it with ``theirs``, then send what was opened, with ``mine``."""
    opened = client.get(path)
    assert opened.status_code == 200, opened.status_code
    assert "drawn_from" in fields(opened, path), "the form does not say what it was drawn from"
    saved = fill_in(them or client, path, **theirs)
    assert saved.status_code == 303, saved.text
    return send(client, path, fields(opened, path), **mine)


def save_again(
    client: httpx.Client, path: str, refused: httpx.Response, **changes: Sequence[str]
) -> httpx.Response:
    """Send the form of a refused page as it stands, with some values changed."""
    return send(client, path, fields(refused, path), **changes)


def changes_shown(page: httpx.Response) -> list[str]:
    """Return what the page says was changed meanwhile, each as one line of text."""
    notice = re.search(r'(?s)<div class="alert mb-6" data-kind="warning".*?</div>', page.text)
    items = re.findall(r"(?s)<li>(.*?)</li>", notice[0]) if notice else []
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", item)).split()) for item in items]


def assert_careful(client: httpx.Client, path: str, field: str, *, theirs: str, mine: str) -> None:
    """Assert that a form keeps what was typed in a text ``field``, and lets nobody’s change get lost."""
    refused = save_after(client, path, theirs={field: [theirs]}, mine={field: [mine]})
    assert refused.status_code == 409, refused.status_code
    assert fields(refused, path)[field] == [mine]
    assert any(theirs in line for line in changes_shown(refused)), refused.text
    taken = save_again(client, path, refused, take_over=[field])
    assert (taken.status_code, fields(taken, path)[field]) == (409, [theirs])
    saved = save_again(client, path, refused)
    assert saved.status_code == 303, saved.text
    assert fields(client.get(path), path)[field] == [mine]
