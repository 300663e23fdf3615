"""Collect, update and compile the sentences CourseCove says: `make messages`; `--check` changes nothing.

What is written is the same on every machine: no dates, no line numbers, sorted.
New sentences get an empty translation, and what nobody says any more is
dropped.  The check fails when a sentence has no translation, when a translation
has other placeholders than its sentence, or when what is committed is not what
this script would write.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALES = ROOT / "src/coursecove/locales"
# Every language but the one the code is written in.
LANGUAGES = {"de": "nplurals=2; plural=(n != 1);"}
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
SOURCES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("src/coursecove", "**.py", {}),
    (
        "templates",
        "**",
        {"trimmed": "true", "silent": "false", "newstyle_gettext": "true", "trim_blocks": "true"},
    ),
)
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_HEADER = """# What CourseCove says, in another language. `make messages` keeps this file in order.
msgid ""
msgstr ""
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Language: {language}\\n"
"Plural-Forms: {plural}\\n"

"""


def collected() -> Catalog:
    """Return every sentence of the code and the templates."""
    template = Catalog(charset="utf-8")
    for folder, pattern, options in SOURCES:
        method = "python" if pattern.endswith(".py") else "jinja2.ext:babel_extract"
        found = extract_from_dir(
            ROOT / folder,
            method_map=[(pattern, method)],
            options_map={pattern: {**options, "encoding": "utf-8"}},
            keywords=KEYWORDS,
            comment_tags=("Translators:",),
            strip_comment_tags=True,
        )
        for _file, _line, message, comments, context in found:
            template.add(message, auto_comments=sorted(set(comments)), context=context)
    return template


def _empty(language: str) -> Catalog:
    return Catalog(
        locale=language,
        project="CourseCove",
        version="1",
        last_translator="CourseCove",
        language_team=language,
        msgid_bugs_address="",
        charset="utf-8",
        creation_date=_EPOCH,
        revision_date=_EPOCH,
    )


def known(language: str) -> Catalog:
    """Return what is translated already."""
    path = LOCALES / language / "LC_MESSAGES/messages.po"
    if not path.exists():
        return _empty(language)
    with path.open("rb") as file:
        return read_po(file, locale=language, charset="utf-8")


def updated(language: str, template: Catalog) -> Catalog:
    """Return the sentences of the template with the translations there are."""
    before = known(language)
    after = _empty(language)
    for message in template:
        if not message.id:
            continue
        translated = before.get(message.id[0] if message.pluralizable else message.id, message.context)
        string: str | tuple[str, ...] = ("", "") if message.pluralizable else ""
        if translated and not translated.fuzzy and translated.pluralizable == message.pluralizable:
            string = translated.string or string
        after.add(message.id, string, auto_comments=message.auto_comments, context=message.context)
    return after


def as_po(catalog: Catalog, language: str) -> bytes:
    """Return the catalogue as it is committed."""
    file = io.BytesIO()
    write_po(file, catalog, width=110, no_location=True, omit_header=True, sort_output=True)
    header = _HEADER.format(language=language, plural=LANGUAGES[language])
    return header.encode() + file.getvalue().strip() + b"\n"


def as_mo(catalog: Catalog) -> bytes:
    """Return the catalogue as the program reads it; what is not translated yet is said in English."""
    spoken = _empty(str(catalog.locale))
    for message in catalog:
        if message.id and all([message.string] if isinstance(message.string, str) else message.string):
            spoken.add(message.id, message.string, context=message.context)
    file = io.BytesIO()
    write_mo(file, spoken)
    return file.getvalue()


_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|(?<!\{)\{(\w+)[^{}]*\}")


def placeholders(text: str) -> set[str]:
    """Return the names of what is put into a sentence."""
    return {one or other for one, other in _PLACEHOLDER.findall(text)}


def complaints(message: Message) -> list[str]:
    """Return what is wrong with a translation."""
    sources = list(message.id) if message.pluralizable else [message.id]
    strings = list(message.string) if message.pluralizable else [message.string]
    if not all(strings):
        return ["has no translation"]
    wrong = []
    allowed = set().union(*(placeholders(source) for source in sources))
    for number, string in enumerate(strings):
        needed = placeholders(sources[min(number, len(sources) - 1)])
        # "One lesson" may say its number or not, in either language.
        counted = {"count", "num", "n", "number"} if message.pluralizable else set()
        if not needed - counted <= placeholders(string) <= allowed | counted:
            wrong.append(f"has other placeholders than its sentence: {string!r}")
    source, string = sources[-1], strings[-1]
    if (source[:1].isspace(), source[-1:].isspace()) != (string[:1].isspace(), string[-1:].isspace()):
        wrong.append("begins or ends with a blank where its sentence does not, or the other way round")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when something is missing")
    options = parser.parse_args()
    template = collected()
    problems: list[str] = []
    for language in LANGUAGES:
        folder = LOCALES / language / "LC_MESSAGES"
        catalog = updated(language, template)
        written = {"messages.po": as_po(catalog, language), "messages.mo": as_mo(catalog)}
        for name, content in written.items():
            path = folder / name
            if path.exists() and path.read_bytes() == content:
                continue
            if options.check:
                problems.append(f"{path.relative_to(ROOT)} is not what its sources give: run `make messages`.")
            else:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        for message in catalog:
            if message.id:
                name = message.id[0] if message.pluralizable else message.id
                problems += [f"{language}: {name!r} {complaint}" for complaint in complaints(message)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
