"""Find sentences that people read and that cannot be translated: run by `make lint`.

In templates: text, and attributes that are read out, outside ``_()`` and
``{% trans %}``; sentences handed to a macro.  In Python: a translation of
something that is not a plain string (nothing can collect it), an ``_`` that
hides the translation, and sentences where only sentences for people stand.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "templates"
SOURCES = ROOT / "src/coursecove"
#: Operators of CourseCove itself, and people who write programs, read English.
ENGLISH = ("platform/", "layouts/platform.html", "layouts/api_docs.html")
ENGLISH_CODE = ("dev/", "portals/platform/", "portals/developers/", "cli.py", "webhooks/", "doctor.py")
#: Names, and words that are the same everywhere.
NAMES = {"CourseCove", "Clerk", "API", "AGPL", "UTC", "HTML", "JavaScript", "iCal", "h", "min", "x"}
SPOKEN_ATTRIBUTES = {"aria-label", "title", "placeholder", "alt", "aria-description"}
TRANSLATING = {"_", "gettext", "ngettext", "pgettext", "npgettext", "N_"}
#: Arguments of macros that nobody reads.
SILENT = {"class", "icon", "icon_end", "variant", "size", "name", "id", "href", "kind", "type", "autocomplete"}
SILENT |= {"inputmode", "list", "value", "submit_variant", "search_name", "align", "side", "template", "rel"}

_WORD = re.compile(r"[^\W\d_]{2,}")
_ENTITY = re.compile(r"&#?\w+;")
#: A sentence, a label: begins like one, or has words with blanks between them and nothing a class name has.
_SENTENCE = re.compile(r"^[A-ZÄÖÜ][a-zäöü’']+\b|[.?!…]$|^[a-z’']+( [a-z’']+){2,}$")

#: What a macro writes into a tag.
_ATTRIBUTES = re.compile(r"(?:[a-z-]+=\"[^\"]*\"\s*)+")

Found = Iterator[tuple[int, str]]


class _Text(HTMLParser):
    """The words of a template's markup, its expressions taken out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            described = tag == "meta" and name == "content" and dict(attrs).get("name") == "description"
            if value and (name in SPOKEN_ATTRIBUTES or described):
                self._look(value)

    def handle_data(self, data: str) -> None:
        self._look(data)

    def _look(self, text: str) -> None:
        if _ATTRIBUTES.fullmatch(text.strip()):
            return
        words = [word for word in _WORD.findall(_ENTITY.sub(" ", text)) if word not in NAMES]
        if words:
            self.found.append((self.getpos()[0], " ".join(text.split())))


def _blank(match: re.Match[str]) -> str:
    # A tag may stand inside an attribute's value; its lines have to stay lines.
    return "\n" * match[0].count("\n")


def words_in_markup(source: str) -> Found:
    """Yield the line and text of what a template says without translating it."""
    plain = re.sub(r"(?s)\{#.*?#\}", _blank, source)
    # Rules of a style sheet, and classes of the body.
    plain = re.sub(r"(?s)<style\b.*?</style>|\{% block body_class %\}.*?\{% endblock %\}", _blank, plain)
    plain = re.sub(r"(?s)\{%-?\s*trans\b.*?\{%-?\s*endtrans\s*-?%\}", _blank, plain)
    plain = re.sub(r"(?s)\{%.*?%\}|\{\{.*?\}\}", _blank, plain)
    parser = _Text()
    parser.feed(plain)
    parser.close()
    yield from parser.found


def words_in_expressions(source: str, engine: Environment) -> Found:
    """Yield the line and text of sentences that a template hands on without translating them."""
    yield from _walk(engine.parse(source))


def _walk(node: nodes.Node) -> Found:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in TRANSLATING:
        return
    if isinstance(node, nodes.Keyword) and node.key in SILENT:
        return
    if isinstance(node, nodes.TemplateData | nodes.Extends | nodes.Import | nodes.FromImport | nodes.Include):
        return
    if isinstance(node, nodes.Compare | nodes.Test | nodes.Getitem):
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and node.value not in NAMES:
        if _WORD.search(node.value) and _SENTENCE.search(node.value):
            yield node.lineno, node.value
        return
    if isinstance(node, nodes.Dict):
        for pair in node.items:
            # What a mapping is looked up by is not read; nor is what belongs to such a name.
            if not (isinstance(pair.key, nodes.Const) and str(pair.key.value) in SILENT):
                yield from _walk(pair.value)
        return
    for child in node.iter_child_nodes():
        yield from _walk(child)


#: Calls whose sentences are for people: every plain sentence inside is to be translated.
_FOR_PEOPLE = {
    "redirect", "admin_page", "teach_page", "page_context", "NavLink", "Invalid", "NotFound", "Conflict",
    "Forbidden", "Unauthenticated", "Malformed", "UnexpectedFields", "StaleForm",
}  # fmt: skip


def words_in_code(source: str, *, for_people: bool) -> Found:
    """Yield the line and text of what Python code gets wrong about translating."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    translates = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "coursecove.i18n"
        and any(alias.name == "_" for alias in node.names)
        for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TRANSLATING:
            plain = node.args and isinstance(node.args[0], ast.Constant)
            if (node.func.id != "N_" and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)) or (
                node.func.id == "N_" and not plain
            ):
                yield node.lineno, "what is translated here is put together, so nothing can collect it"
        elif translates and isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store):
            yield node.lineno, "_ is the translation in this file: give what is thrown away another name"
        elif for_people and isinstance(node, ast.Constant | ast.JoinedStr):
            text = _text_of(node)
            if text and _SENTENCE.search(text) and " " in text and _is_for_people(node, parents):
                yield node.lineno, text


def _text_of(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)


def _is_for_people(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Say whether a string is an argument of something that people read, not translated on the way."""
    while (parent := parents.get(node)) is not None:
        if isinstance(parent, ast.Call):
            name = getattr(parent.func, "id", getattr(parent.func, "attr", ""))
            if name in TRANSLATING:
                return False
            if name in _FOR_PEOPLE:
                return True
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.JoinedStr):
            return False
        node = parent
    return False


#: A line that breaks each rule: a rule that cannot fail protects nothing.
_BREAKS = {
    "markup": "<p>Hello there</p>",
    "attribute": '<img alt="A tree">',
    "expression": '{{ ui.button("Save it") }}',
    "code": 'raise NotFound("There is none.")',
    "together": '_(f"Hello {name}")',
}


def _check_itself(engine: Environment) -> Iterator[str]:
    caught = {
        "markup": list(words_in_markup(_BREAKS["markup"])),
        "attribute": list(words_in_markup(_BREAKS["attribute"])),
        "expression": list(words_in_expressions(_BREAKS["expression"], engine)),
        "code": list(words_in_code(_BREAKS["code"], for_people=True)),
        "together": list(words_in_code(_BREAKS["together"], for_people=False)),
    }
    for name, found in caught.items():
        if not found:
            yield f"scripts/bare_words.py: does not catch its own example of {name}"


def main() -> int:
    engine = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    problems = list(_check_itself(engine))
    for path in sorted(TEMPLATES.rglob("*.html")):
        name = path.relative_to(TEMPLATES).as_posix()
        if name.startswith(ENGLISH):
            continue
        source = path.read_text(encoding="utf-8")
        for line, text in (*words_in_markup(source), *words_in_expressions(source, engine)):
            problems.append(f"templates/{name}:{line}: not translated: {text}")
    for path in sorted(SOURCES.rglob("*.py")):
        name = path.relative_to(SOURCES).as_posix()
        for_people = not name.startswith(ENGLISH_CODE)
        for line, text in words_in_code(path.read_text(encoding="utf-8"), for_people=for_people):
            problems.append(f"src/coursecove/{name}:{line}: not translated: {text}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
