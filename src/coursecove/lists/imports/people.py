"""People: everybody in the list is invited, with the role beside their address."""

from __future__ import annotations

from typing import cast

from coursecove.i18n import N_, _, ngettext
from coursecove.lists.imports.kinds import Column, ImportKind, Outcome, Problem, Work, spoken
from coursecove.tenants.invitations import is_address
from coursecove.tenants.schemas import Role
from coursecove.tenants.uploaded_lists import emails_of_members, invite_list

_ROLES = {"student": [N_("Student")], "instructor": [N_("Instructor")], "admin": [N_("Admin")]}


async def read(work: Work) -> Outcome:
    """Check every address and role; for real, have the invitations sent."""
    outcome = Outcome()
    roles = spoken(_ROLES)
    known = await emails_of_members(work.session)
    people: dict[str, tuple[str, Role]] = {}
    seen: dict[str, int] = {}
    for row in work.table.rows:
        problems = PEOPLE.missing(row)
        email = row.cells.get("email", "")
        key = email.casefold()
        role = roles.get(row.cells.get("role", "").casefold() or "student")

        def wrong(column: str, message: str, number: int = row.number, to: list[Problem] = problems) -> None:
            to.append(Problem(number, PEOPLE.title_of(column), message))

        if email and not is_address(email):
            wrong("email", _("This is no e-mail address."))
        elif key in seen:
            wrong("email", _("This address stands in row {row} already.").format(row=seen[key]))
        elif key in known:
            wrong("email", _("This person belongs to the school already."))
        if role is None:
            wrong("role", _("Write student, instructor or admin."))
        if email:
            seen.setdefault(key, row.number)
        outcome.problems += problems
        if not problems:
            people[key] = (email, cast("Role", role))
    outcome.done = len(people)
    if len(people) > 50:
        outcome.notes.append(
            _("50 invitations are sent at once, the others in the next hours, about 200 an hour.")
        )
    if work.apply and work.taken is not None and not outcome.problems:
        await invite_list(work.session, work.taken, list(people.values()), by=work.by)
    return outcome


PEOPLE = ImportKind(
    slug="people",
    kind="people",
    title=N_("People"),
    lead=N_("Everybody in the list gets an invitation by e-mail."),
    icon="users",
    columns=(
        Column(
            "email",
            N_("E-mail"),
            N_("Where the invitation goes."),
            ("mia@example.com", "leo@example.com"),
            ("mail", "email address", "e-mail-adresse", "mailadresse"),
            required=True,
        ),
        Column(
            "role",
            N_("Role"),
            N_("Student, instructor or admin; empty means student."),
            (N_("Student"), N_("Instructor")),
        ),
    ),
    read=read,
    confirm=lambda count: ngettext("Invite {count} person", "Invite {count} people", count).format(count=count),
    done=lambda count: ngettext("{count} person is invited.", "{count} people are invited.", count).format(
        count=count
    ),
    result_href="/admin/people?status=invited",
)
