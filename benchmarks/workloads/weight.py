"""What a first visit carries: transfer size, requests and time to first byte, seen from a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks.house import BASE_DOMAIN, House
from benchmarks.report import Claim, Report
from benchmarks.world import School, begins_at, load
from faults.house import quiet_port

MOST_KB = 100.0
SCHOOL = School("bench-weight", instructors=4, students=8, bookings=40)
PAGES = {
    "front page": ("", "/"),
    "booking, choosing a time": ("student", "/book/lesson"),
    "/teach": ("instructor", "/teach"),
    "/admin": ("admin", "/admin"),
}


def measure(house: House, report: Report) -> None:
    """Visit each page with an empty cache; a report without lines when there is no browser here."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        report.remark("Pages were not weighed: Playwright is not installed.")
        return
    with house.connect() as connection:
        if connection.execute("select 1 from organizations where id = %s", [SCHOOL.id]).fetchone() is None:
            load(connection, [SCHOOL], begins_at())
    # Addresses carry the port here, and what is signed for an origin has to name it.
    port = quiet_port()
    with house.running("coursecove", "serve", PORT=str(port), PUBLIC_PORT=str(port)) as web:
        house.wait_until_ready(web, port)
        origin = f"http://{SCHOOL.slug}.{BASE_DOMAIN}:{port}"
        try:
            with sync_playwright() as playwright, _browser(playwright) as browser:
                for what, (role, path) in PAGES.items():
                    _visit(house, report, browser, what, origin, role, path)
        except Error as error:
            report.remark(f"Pages were not weighed: no Chromium here ({str(error).splitlines()[0]}).")


@contextmanager
def _browser(playwright: Any) -> Iterator[Any]:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    try:
        yield browser
    finally:
        browser.close()


def _visit(house: House, report: Report, browser: Any, what: str, origin: str, role: str, path: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    if role:
        token = house.token_for(SCHOOL.clerk_id(role), origin)
        context.add_cookies(
            [
                {"name": "__session", "value": token, "url": origin},
                {"name": "__client_uat", "value": "1", "url": origin},
            ]
        )
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    responses: dict[str, dict[str, Any]] = {}
    finished: dict[str, float] = {}
    client.on(
        "Network.responseReceived", lambda event: responses.__setitem__(event["requestId"], event["response"])
    )
    client.on(
        "Network.loadingFinished",
        lambda event: finished.__setitem__(event["requestId"], event["encodedDataLength"]),
    )
    answer = page.goto(origin + path, wait_until="load")
    page.wait_for_timeout(300)
    assert answer is not None
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}")
    host = urlsplit(origin).netloc
    own = {id_: found for id_, found in responses.items() if urlsplit(found["url"]).netloc == host}
    kilobytes = sum(finished.get(id_, 0) for id_ in own) / 1024
    timing = page.evaluate(
        "(() => { const n = performance.getEntriesByType('navigation')[0]; return [n.responseStart, n.loadEventEnd] })()"
    )
    kept = sum("immutable" in found["headers"].get("cache-control", "") for found in own.values())
    largest = sorted(
        ((finished.get(id_, 0), urlsplit(found["url"]).path) for id_, found in own.items()), reverse=True
    )[:4]
    report.add(
        Claim(
            "weight",
            f"First visit, compressed, of its own: {what}",
            None,
            kilobytes,
            "KB",
            target=f"≤ {MOST_KB:g} KB",
            reached=kilobytes <= MOST_KB,
            note=f"{len(own)} requests, {kept} of them kept for a year; first byte after {timing[0]:.0f} ms, "
            f"loaded after {timing[1]:.0f} ms",
            details={"largest": [{"bytes": size, "path": name} for size, name in largest]},
        )
    )
    context.close()
