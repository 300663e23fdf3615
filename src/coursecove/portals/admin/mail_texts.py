"""The school's own words in the mails its students get, with a look at the mail as they are written."""

from __future__ import annotations

from typing import Any, cast

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import Invalid
from coursecove.i18n import LANGUAGES, N_, _
from coursecove.notifications import mail_texts
from coursecove.notifications.mail_texts import KINDS, PLACEHOLDERS, MailTextUpdate, MailTextView, MailWords
from coursecove.notifications.rendering import Content, Kind
from coursecove.notifications.samples import sample_mail
from coursecove.portals import staleness
from coursecove.portals.admin.navigation import AnyRequest, admin_page
from coursecove.portals.admin.school import PATH as SCHOOL
from coursecove.portals.admin.school import school_tabs
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.pages import Undo, environment, redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = f"{SCHOOL}/texts"
LABELS = {"subject": N_("Subject"), "opening": N_("Opening words"), "closing": N_("Closing words")}
_VIEWS = ("html", "text")
#: What fits into the cookie that carries the way back.
_MOST_UNDONE = 1500
# The preview is a document of its own: our page may frame it, a mail's inline styles hold, and nothing runs.
_FRAMED = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data: https:; "
        "form-action 'none'; frame-ancestors 'self'; sandbox"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}


class MailTextPages(Controller):
    """A page per kind of mail and language."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """List the kinds of mail, and in which languages the school has words of its own."""
        texts = await mail_texts.list_mail_texts(session)
        kinds = [
            {
                "title": _(title),
                "href": f"{PATH}/{kind}/{organization.locale}",
                "languages": [
                    LANGUAGES[text.language] for text in texts if text.kind == kind and text.updated_at
                ],
            }
            for kind, title in KINDS.items()
        ]
        page = admin_page(request, _("School"))
        return render(request, "admin/mail_texts.html", page, tabs=school_tabs(PATH), kinds=kinds)

    @get("/{kind:str}/{language:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        kind: FromPath[str],
        language: FromPath[str],
    ) -> Response[Any]:
        """Show the words as they are said, and a sample."""
        stored = await mail_texts.get_mail_text(session, kind, language)
        return _draw(request, stored, staleness.drawn(_values(stored)))

    @post("/{kind:str}/{language:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        language: FromPath[str],
    ) -> Response[Any]:
        """Say it in these words from the next mail on."""
        before = await mail_texts.get_mail_text(session, kind, language)
        form = Form(await read_form(request, fields=(*LABELS, "view", *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            return _values(await mail_texts.get_mail_text(session, kind, language, locked=True))

        async def verb() -> MailTextView:
            subject = mail_texts.subject_of(session, kind, language)
            await staleness.check(session, form, stored, subject=subject, labels=LABELS, by=by)
            changes = convert(_typed(form), MailTextUpdate)
            return await mail_texts.change_mail_text(session, kind, language, changes, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is not None:
            return _draw(request, before, refused, status_code=refused.refused_status)
        return redirect(request, f"{PATH}/{kind}/{language}", flash=_("The words are saved."))

    @post("/{kind:str}/{language:str}/reset", status_code=200)
    async def reset(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        language: FromPath[str],
    ) -> Response[Any]:
        """Say CourseCove's words again."""
        await read_form(request, fields=())
        before = await mail_texts.get_mail_text(session, kind, language)
        await mail_texts.reset_mail_text(session, kind, language, by=by)
        words = [(name, getattr(before, name)) for name in LABELS if getattr(before, name)]
        short = sum(len(text.encode()) for _name, text in words) <= _MOST_UNDONE
        back = f"{PATH}/{kind}/{language}"
        undo = Undo(back, words) if words and short else None
        return redirect(request, back, flash=_("This mail says CourseCove’s words again."), undo=undo)

    @get("/{kind:str}/{language:str}/preview")
    async def preview_stored(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        kind: FromPath[str],
        language: FromPath[str],
    ) -> Response[Any]:
        """Show the mail as it is said now; ``?view=text`` as plain text."""
        stored = await mail_texts.get_mail_text(session, kind, language)
        view = request.query_params.get("view", "")
        mail = await sample_mail(session, organization, cast("Kind", kind), language, stored.words)
        return _framed(mail, view)

    @post("/{kind:str}/{language:str}/preview", status_code=200)
    async def preview_typed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        kind: FromPath[str],
        language: FromPath[str],
    ) -> Response[Any]:
        """Show the mail as it would be said; nothing is saved."""
        await mail_texts.get_mail_text(session, kind, language)
        form = Form(await read_form(request, fields=(*LABELS, "view", *staleness.FIELDS)))
        try:
            typed = convert(_typed(form), MailTextUpdate)
            words = MailWords(**{name: cast("str", getattr(typed, name) or "") for name in LABELS})
            problems = mail_texts.problems_of(words)
            if problems:
                raise Invalid(fields=problems)
        except Invalid as error:
            return _framed(None, "", problems=error.fields, status_code=422)
        mail = await sample_mail(session, organization, cast("Kind", kind), language, words)
        return _framed(mail, form.value("view"))


def _values(stored: MailTextView) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in LABELS}


def _typed(form: Form) -> dict[str, Any]:
    return {name: form.value(name) for name in LABELS}


def _draw(request: AnyRequest, stored: MailTextView, form: Form, *, status_code: int = 200) -> Response[Any]:
    request.scope["state"]["content_policy"] = "framing"
    kind, language = stored.kind, stored.language
    here = f"{PATH}/{kind}/{language}"
    trail = ((_("School"), SCHOOL), (_("E-mail texts"), PATH))
    return render(
        request,
        "admin/mail_text.html",
        admin_page(request, _(KINDS[kind]), *trail),
        status_code=status_code,
        form=form,
        here=here,
        labels={name: _(label) for name, label in LABELS.items()},
        languages=[
            {"label": name, "href": f"{PATH}/{kind}/{code}", "current": code == language}
            for code, name in LANGUAGES.items()
        ],
        placeholders=[{"name": f"{{{name}}}", "text": _(text)} for name, text in PLACEHOLDERS.items()],
        own=stored.updated_at is not None,
    )


def _framed(
    mail: Content | None,
    view: str,
    *,
    problems: dict[str, str] | None = None,
    status_code: int = 200,
) -> Response[Any]:
    """Return a document for the frame: the subject, and below it the mail as a program shows it."""
    template = environment().get_template("emails/preview.html")
    if mail is None or view == "text":
        wrong = [(_(LABELS[name]), text) for name, text in (problems or {}).items()]
        document = template.render(mail=mail, problems=wrong)
    else:
        # The mail is a document of its own; what it is called goes in front of it.
        bar = str(template.make_module().bar(mail.subject))  # type: ignore[attr-defined]
        start = mail.html.index(">", mail.html.index("<body")) + 1
        document = mail.html[:start] + bar + mail.html[start:]
    return Response(
        document.encode(),
        media_type="text/html",
        status_code=status_code,
        headers=_FRAMED,
    )
