"""What was typed becomes a struct, or comes back with a message beside each field."""

from __future__ import annotations

import pytest

from coursecove.appointments.schemas import AppointmentTypeCreate, LocationUpdate
from coursecove.errors import Invalid
from coursecove.portals import forms
from coursecove.portals.pages import local_path
from coursecove.typed import price_in


def test_every_wrong_field_is_named_at_once() -> None:
    typed = {"name": "", "duration_minutes": "soon", "price_cents": "12,345", "buffer_after_minutes": "999"}
    with pytest.raises(Invalid) as refused:
        forms.convert(
            typed,
            AppointmentTypeCreate,
            parsers={
                "duration_minutes": forms.whole_number,
                "price_cents": price_in("EUR"),
                "buffer_after_minutes": forms.whole_number,
            },
        )
    assert refused.value.fields == {
        "name": "This is needed.",
        "duration_minutes": "Enter a whole number.",
        "price_cents": "Enter an amount such as 45 or 45.50.",
        "buffer_after_minutes": "Enter a number of at most 240.",
    }


def test_what_is_right_becomes_the_struct() -> None:
    built = forms.convert(
        {"name": "Piano", "duration_minutes": "45", "price_cents": "45,5", "unknown": "ignored"},
        AppointmentTypeCreate,
        parsers={"duration_minutes": forms.whole_number, "price_cents": price_in("EUR")},
    )
    assert (built.name, built.duration_minutes, built.price_cents) == ("Piano", 45, 4550)


def test_a_missing_field_of_a_change_stays_unset() -> None:
    change = forms.convert({"name": "Hall"}, LocationUpdate)
    assert change.name == "Hall"
    assert change.address is LocationUpdate().address


@pytest.mark.parametrize(
    ("text", "minutes"), [("9:30", 570), ("09:30", 570), ("00:00", 0), ("24:00", 1440), ("23:59", 1439)]
)
def test_clock_times_are_minutes_of_the_day(text: str, minutes: int) -> None:
    assert forms.clock_time(text) == minutes


@pytest.mark.parametrize("text", ["", "9", "9:5", "9:60", "24:01", "-1:00", "ab:cd", "9:30 PM"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 09:30"):
        forms.clock_time(text)


@pytest.mark.parametrize("text", ["", "-5", "4.567", "4,5,6", "1e3", "€45", "."])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"45\.50"):
        price_in("EUR")(text)


@pytest.mark.parametrize(
    "candidate",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "javascript:alert(1)",
        "/ok\r\nSet-Cookie: a=b",
        "/\tpath",
        "lessons",
        "",
        None,
    ],
)
def test_no_link_leads_to_another_host(candidate: str | None) -> None:
    assert local_path(candidate) == "/"
    assert local_path("/lessons?show=past") == "/lessons?show=past"
