"""What a student is asked beside the time: intake questions, and where they live.

Answers stand in the form under names that say nothing (``answer-k7qf2m9x``) and
are told by them which question they belong to.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, QuestionView
from coursecove.i18n import _
from coursecove.tenants.handles import handle_of

ADDRESS_FIELDS = ("address", "postcode")


def answer_name(question_id: uuid.UUID) -> str:
    """Return the name of a question's field."""
    return f"answer-{handle_of(question_id, '').rpartition('-')[2]}"


def answers_in(values: Mapping[str, Any], questions: Iterable[QuestionView]) -> dict[uuid.UUID, str]:
    """Return what was typed, by question; what was left empty is left out."""
    return {
        question.id: str(values[answer_name(question.id)])
        for question in questions
        if values.get(answer_name(question.id))
    }


def intake_errors(fields: Mapping[str, str], questions: Iterable[QuestionView]) -> dict[str, str]:
    """Return the messages of a refusal under the names its form has for those fields."""
    names = {appointments.answer_field(question.id): answer_name(question.id) for question in questions}
    return {names.get(field, field): message for field, message in fields.items()}


def asked(
    type_: AppointmentTypeView, values: Mapping[str, Any], errors: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the questions of a type as the form shows them, with what was typed so far."""
    return [
        {
            "name": answer_name(question.id),
            "kind": question.kind,
            "label": question.label,
            "hint": question.hint or None,
            "required": question.required,
            "options": _options(question),
            "value": values.get(answer_name(question.id), ""),
            "error": errors.get(answer_name(question.id)),
        }
        for question in type_.questions
    ]


def _options(question: QuestionView) -> list[dict[str, str]]:
    if question.kind == "yes_no":
        return [{"value": "yes", "label": _("Yes")}, {"value": "no", "label": _("No")}]
    return [{"value": option, "label": option} for option in question.options]
