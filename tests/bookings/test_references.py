"""Booking references, as people write and read them."""

from __future__ import annotations

import re

import pytest

from coursecove.bookings.references import new_reference, normal_reference


def test_a_reference_has_no_letter_that_is_taken_for_a_digit() -> None:
    references = [new_reference() for _ in range(500)]
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", text) for text in references)
    assert len(set(references)) == 500


@pytest.mark.parametrize("written", ["K7QF-2M91", "k7qf2m91", " k7qf 2m9l ", "K7QF–2M9I", "k7qf-2m9i"])
def test_a_reference_is_understood_however_it_is_typed(written: str) -> None:
    assert normal_reference(written) == "K7QF-2M91"


@pytest.mark.parametrize("written", ["", "K7QF-2M9", "K7QF-2M9XX", "K7QF-2M9U", "' or 1=1", "K7QF-2M9\x00"])
def test_what_cannot_be_a_reference_is_none(written: str) -> None:
    assert normal_reference(written) is None
