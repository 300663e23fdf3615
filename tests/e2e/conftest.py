"""A real browser against the real demo: `coursecove demo` in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from coursecove.config import read_env_file
from tests.patience import patience
from tests.serving import free_port

BASE_DOMAIN = "coursecove.localhost"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
START_SECONDS = 120


@dataclass(frozen=True)
class House:
    """A running demo."""

    port: int
    home: Path

    def origin(self, slug: str | None = "musicschool") -> str:
        return f"http://{slug + '.' if slug else ''}{BASE_DOMAIN}:{self.port}"

    @property
    def mailbox(self) -> str:
        return read_env_file(self.home / "env")["MAILBOX_URL"]


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The demo, started as a person would and stopped as a person would."""
    home = tmp_path_factory.mktemp("house")
    port = free_port()
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("CLERK_", "DATABASE_", "REDIS_"))}
    environ = {**keep, "PORT": str(port), "COURSECOVE_HOME": str(home), "APP_ENV": "development"}
    log = home / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "coursecove", "demo"], env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + START_SECONDS
    try:
        while not re.search(r"^ready http", log.read_text(errors="replace"), re.MULTILINE):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the demo did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
        yield House(port, home)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(patience(15))


@pytest.fixture(scope="package")
def playwright_driver() -> Iterator[Playwright]:
    """Playwright's driver, for this folder only: its event loop would be in the way of other tests'."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def browser(playwright_driver: Playwright) -> Iterator[Browser]:
    """Chromium: the system's, or Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None and not Path(playwright_driver.chromium.executable_path).exists():
        message = "No Chromium on this machine: install one (Debian: apt-get install chromium)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    launched = playwright_driver.chromium.launch(
        executable_path=program,
        args=["--no-sandbox", "--disable-quic", "--disable-background-networking", "--no-first-run"],
    )
    yield launched
    launched.close()


OpenContext = Callable[..., BrowserContext]


@pytest.fixture
def visit(browser: Browser, house: House, project: Path) -> Iterator[OpenContext]:
    """``visit(size=PHONE, **options)``: a fresh browser profile that may talk to this machine only.

    Whatever else a page asks for fails the test, and so do script errors and
    violations of the Content-Security-Policy.  A failing test leaves
    screenshots in ``test-artifacts/``.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(size: dict[str, int] = PHONE, **options: object) -> BrowserContext:
        context = browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            **{"locale": "en-GB", "timezone_id": "Europe/Berlin", **options},  # type: ignore[arg-type]
        )
        context.set_default_timeout(patience(15) * 1000)

        def watch(page: Page) -> None:
            page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
            page.on("console", lambda line: _complain(line.text) if line.type == "error" else None)
            page.on("request", lambda request: _only_here(request.url))

        def _complain(text: str) -> None:
            # Chromium logs every 4xx as an error of the console; tests look at those themselves.
            if "Failed to load resource" not in text:
                complaints.append(text)

        def _only_here(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme in ("http", "https") and not (parts.hostname or "").endswith(BASE_DOMAIN):
                complaints.append(f"asked for {url}")

        context.on("page", watch)
        contexts.append(context)
        return context

    yield make
    for number, context in enumerate(contexts):
        for page in context.pages:
            folder = project / "test-artifacts"
            folder.mkdir(exist_ok=True)
            name = os.environ.get("PYTEST_CURRENT_TEST", "test").split("::")[-1].split(" ")[0]
            page.screenshot(path=folder / f"{name}-{number}.png", full_page=True)
        context.close()
    assert not complaints, complaints


def sign_in(
    page: Page, house: House, name: str, *, slug: str | None = "musicschool", return_to: str = "/"
) -> None:
    """Choose a person on the sign-in page and wait until they are back where they wanted to be."""
    page.goto(f"{house.origin(slug)}/sign-in?return_to={return_to}")
    choose_person(page, name)
    page.wait_for_url(lambda url: urlsplit(url).path == return_to.partition("?")[0])


def choose_person(page: Page, name: str) -> None:
    """Press a person's button in the mounted sign-in."""
    page.get_by_role("button", name=re.compile(name)).first.click()


@contextmanager
def no_full_page_load(page: Page) -> Iterator[None]:
    """Fail when the block replaces the document instead of a part of it."""
    page.evaluate("window.__same_document = true")
    yield
    assert page.evaluate("window.__same_document === true"), "the whole page was loaded again"
