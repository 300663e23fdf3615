"""The documentation says only what is there: links lead somewhere, and what it names exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from coursecove.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("static/**/*.md")])

_FENCED = re.compile(r"^(`{3,})[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"!?\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)
_MAKE = re.compile(r"(?:^|[\s;&])make((?: [A-Za-z_]+=\S+)*) ([a-z][a-z-]*)")
_COURSECOVE = re.compile(r"(?:^|[\s/;&(])coursecove((?: [a-z]+)+)")
# A path of ours in running text; placeholders (<room>, 00NN, …) name no file.
_PATH = re.compile(r"(?:src|tests|docs|scripts|templates|migrations|static)/[\w./-]*")


def _prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def _code(page: Path) -> Iterator[str]:
    """Yield what a page shows as code: its blocks, without comments, and its spans."""
    text = page.read_text(encoding="utf-8")
    for block in _FENCED.finditer(text):
        yield re.sub(r"(^|\s)#.*$", "", block.group(2), flags=re.MULTILINE)
    for span in _SPAN.finditer(_prose(page)):
        yield span.group(1)


def _links(page: Path) -> list[str]:
    prose = _SPAN.sub(lambda span: "x" * len(span.group(0)), _prose(page))
    found = _LINK.findall(prose) + [target for _, target in _IMAGE.findall(prose)]
    return [link for link in dict.fromkeys(found) if not re.match(r"[a-z]+:", link)]


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the usual renderers make them."""
    found = set()
    for heading in _HEADING.findall(_prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def _trouble_with(link: str, page: Path) -> str | None:
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT):
        return "leads out of the project"
    if not target.exists():
        return "is not there"
    if anchor and (target.suffix != ".md" or anchor not in _anchors(target)):
        return "has no such heading"
    return None


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_and_image_leads_somewhere(page: Path) -> None:
    troubles = {link: trouble for link in _links(page) if (trouble := _trouble_with(link, page))}
    assert not troubles


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_image_says_what_it_shows(page: Path) -> None:
    assert [target for words, target in _IMAGE.findall(_prose(page)) if not words.strip()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "static" not in page.parts], ids=_name)
def test_every_path_named_in_passing_exists(page: Path) -> None:
    named = {span for span in _SPAN.findall(_prose(page)) if _PATH.fullmatch(span)}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_named_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {target for code in _code(page) for _, target in _MAKE.findall(code)}
    assert named - targets == set()


def _unknown_part(words: str) -> str | None:
    """Return the first word of ``coursecove`` followed by ``words`` that is no command; None when all are."""
    command: click.Command = main
    context = click.Context(main, info_name="coursecove")
    for word in words.split():
        if not isinstance(command, click.Group):
            return None  # an argument
        found = command.get_command(context, word)
        if found is None:
            return word
        command, context = found, click.Context(found, info_name=word, parent=context)
    return None


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_coursecove_command_named_exists(page: Path) -> None:
    named = {words for code in _code(page) for words in _COURSECOVE.findall(code)}
    assert {f"coursecove{words}" for words in named if _unknown_part(words)} == set()


def test_readme_and_contributing_name_both_commands_of_the_house() -> None:
    readme, contributing = (ROOT / name for name in ("README.md", "CONTRIBUTING.md"))
    for page in (readme, contributing):
        named = {target for code in _code(page) for _, target in _MAKE.findall(code)}
        assert {"demo", "test", "lint"} <= named


def test_every_setting_is_explained_to_those_who_deploy() -> None:
    source = (ROOT / "src/coursecove/config.py").read_text(encoding="utf-8")
    settings = set(re.findall(r"read\.(?:text|port)\(\s*\"([A-Z_]+)\"", source))
    settings |= {"CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET"}  # read in a loop
    assert len(settings) > 15
    explained = set(_SPAN.findall((ROOT / "docs/operations/deploy.md").read_text(encoding="utf-8")))
    assert settings - explained == set()


def test_no_page_of_the_documentation_is_left_out_of_its_indexes() -> None:
    indexes = [ROOT / "docs/README.md", ROOT / "docs/decisions/README.md"]
    linked = {(index.parent / link.partition("#")[0]).resolve() for index in indexes for link in _links(index)}
    assert set((ROOT / "docs").glob("**/*.md")) - linked - set(indexes) == set()


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("[a](missing.md)", "missing.md"),
        ("[![a](missing.png)](README.md)", "missing.png"),
        ("![a](missing.png)", "missing.png"),
        ("[a](README.md#no-such-heading)", "README.md#no-such-heading"),
        ("[a](../../etc/passwd)", "../../etc/passwd"),
    ],
)
def test_the_checks_above_catch_what_they_are_for(words: str, trouble: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(words, encoding="utf-8")
    # As if it lay in the project's root.
    assert [link for link in _links(page) if _trouble_with(link, ROOT / "page.md")] == [trouble]


def test_a_command_that_is_none_is_noticed() -> None:
    assert _unknown_part(" webhooks stats") is None
    assert _unknown_part(" webhooks forget") == "forget"
    assert _unknown_part(" dance") == "dance"
