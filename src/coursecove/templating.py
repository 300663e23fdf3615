"""The template engine of pages and mails: autoescaping, translated, and strict about names."""

from __future__ import annotations

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from coursecove import formatting, i18n
from coursecove.config import project_data


def template_engine() -> Environment:
    """Return an engine over ``templates/``.

    An undefined name is an error, not a blank.  ``_("…")`` and ``{% trans %}``
    speak the language of :mod:`coursecove.i18n`; a variable inside them is
    escaped like everywhere else.
    """
    engine = Environment(
        loader=FileSystemLoader(project_data("templates")),
        autoescape=select_autoescape(["html"], default_for_string=True, default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    engine.policies["ext.i18n.trimmed"] = True
    # The extension adds these two at run time, where no type checker sees them.
    engine.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext, i18n.ngettext, newstyle=True, pgettext=i18n.pgettext, npgettext=i18n.npgettext
    )
    engine.globals["language"] = i18n.language
    engine.filters.update(formatting.FILTERS)
    return engine
