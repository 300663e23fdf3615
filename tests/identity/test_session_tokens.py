"""Which tokens prove who is asking (SECURITY.md, row 22), and what is read from them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from datetime import timedelta
from typing import Any

import jwt
import pytest

from coursecove import clock
from coursecove.identity.permissions import decode_permissions
from coursecove.identity.tokens import (
    ClaimedOrganization,
    SessionClaims,
    TokenRefused,
    verify_session_token,
)
from tests.identity.identity_world import FOREIGN_KEY, ISSUER, KEY, KEY_ID, NOW, ORIGIN, PEM, SCHOOL, make_token


@pytest.fixture(autouse=True)
def _standing_at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_read", lambda: NOW)


def verify(token: str, *, azp_required: bool = True) -> SessionClaims:
    return verify_session_token(
        token,
        KEY.public_key(),
        issuer=ISSUER,
        authorized_parties=(ORIGIN,),
        azp_required=azp_required,
    )


def refusal(token: str, *, azp_required: bool = True) -> str:
    with pytest.raises(TokenRefused) as caught:
        verify(token, azp_required=azp_required)
    assert token not in str(caught.value) or not token
    return caught.value.reason


def encode_part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_right_token_says_who_is_asking_and_until_when() -> None:
    assert verify(make_token()) == SessionClaims(
        user_id="user_2Mia",
        session_id="sess_2Mia",
        issued_at=NOW,
        expires_at=NOW + timedelta(seconds=60),
        authorized_party=ORIGIN,
        organization=None,
        actor=None,
        version=2,
    )


def test_an_unsigned_token_is_refused() -> None:
    _, payload, _ = make_token().split(".")
    for algorithm in ("none", "None", "NONE", ""):
        header = encode_part({"alg": algorithm, "typ": "JWT", "kid": KEY_ID})
        assert refusal(f"{header}.{payload}.") == "token-algorithm"


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() -> None:
    _, payload, _ = make_token().split(".")
    header = encode_part({"alg": "HS256", "typ": "JWT", "kid": KEY_ID})
    signature = hmac.new(PEM.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    forged = f"{header}.{payload}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    assert refusal(forged) == "token-algorithm"


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_of_the_same_key_are_refused(algorithm: str) -> None:
    claims = jwt.decode(make_token(), options={"verify_signature": False})
    assert refusal(jwt.encode(claims, KEY, algorithm=algorithm)) == "token-algorithm"


def test_a_token_of_another_key_is_refused() -> None:
    assert refusal(make_token(FOREIGN_KEY)) == "token-signature"


def test_any_changed_character_of_the_payload_or_signature_is_noticed() -> None:
    token = make_token()
    start = token.index(".") + 1
    spots = [i for i in range(start, len(token) - 1) if token[i] != "."]
    for spot in random.Random(7).sample(spots, 60):
        other = "A" if token[spot] != "A" else "B"
        assert refusal(token[:spot] + other + token[spot + 1 :]) in {"token-signature", "token-malformed"}


@pytest.mark.parametrize("claim", ["sub", "sid", "iss", "iat", "exp"])
def test_a_token_without_a_claim_it_must_have_is_refused(claim: str) -> None:
    assert refusal(make_token(claims={claim: None})).startswith("token-")


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://clerk.evil.example"}, "token-issuer"),
        ({"iss": ISSUER + "/"}, "token-issuer"),
        ({"iss": ISSUER.replace("https", "http")}, "token-issuer"),
        ({"azp": "https://yoga.coursecove.com"}, "token-azp"),
        ({"azp": ORIGIN + ":8443"}, "token-azp"),
        ({"azp": ORIGIN.replace("https", "http")}, "token-azp"),
        ({"azp": ORIGIN + ".evil.example"}, "token-azp"),
        ({"azp": [ORIGIN]}, "token-azp"),
        ({"azp": ""}, "token-azp"),
        ({"sub": "org_2Mia"}, "token-subject"),
        ({"sub": ["user_2Mia"]}, "token-subject"),
        ({"sub": "mch_2Machine"}, "token-subject"),
        ({"sid": ""}, "token-session-missing"),
        ({"sid": None}, "token-session-missing"),
        ({"sts": "pending"}, "session-pending"),
        ({"v": 3}, "token-version"),
        ({"v": True}, "token-version"),
        ({"exp": "soon"}, "token-malformed"),
        ({"exp": True}, "token-malformed"),
        ({"exp": 10**400}, "token-malformed"),
        ({"exp": 1e300}, "token-malformed"),
        ({"iat": [1]}, "token-malformed"),
        ({"nbf": {}}, "token-malformed"),
    ],
)
def test_a_wrong_claim_is_refused_with_its_own_reason(claims: dict[str, Any], reason: str) -> None:
    assert refusal(make_token(claims=claims)) == reason


def test_a_cookie_needs_an_authorized_party_and_a_bearer_token_does_not() -> None:
    token = make_token(authorized_party=None)
    assert refusal(token, azp_required=True) == "token-azp-missing"
    assert verify(token, azp_required=False).authorized_party is None


def test_a_bearer_token_for_another_school_is_refused_all_the_same() -> None:
    assert (
        refusal(make_token(authorized_party="https://yoga.coursecove.com"), azp_required=False) == "token-azp"
    )


@pytest.mark.parametrize(
    ("claim", "offset_seconds", "reason"),
    [
        ("exp", -5, "session-token-expired"),
        ("exp", -4, None),
        ("nbf", 5, None),
        ("nbf", 6, "session-token-nbf"),
        ("iat", 5, None),
        ("iat", 6, "session-token-iat-in-the-future"),
    ],
)
def test_the_clocks_may_differ_by_five_seconds_and_no_more(
    claim: str, offset_seconds: int, reason: str | None
) -> None:
    token = make_token(claims={claim: int(NOW.timestamp()) + offset_seconds})
    if reason is None:
        assert verify(token).user_id == "user_2Mia"
    else:
        assert refusal(token) == reason


@pytest.mark.parametrize(
    "category", ["cl_B7d4PD222AAA", "cl_B7d4PD333AAA", "cl_unknown", "", None, ["cl_B7d4PD111AAA"]]
)
def test_template_and_machine_tokens_are_refused_though_the_same_key_signed_them(category: Any) -> None:
    assert refusal(make_token(headers={"cat": category})) in {"token-category", "token-malformed"}


def test_tokens_without_a_category_and_of_the_ignored_one_are_accepted() -> None:
    claims = jwt.decode(make_token(), options={"verify_signature": False})
    without = jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": KEY_ID})
    for token in (without, make_token(headers={"cat": "cl_I7d4PD111III"})):
        assert verify(token).user_id == "user_2Mia"


def test_header_fields_nobody_knows_are_ignored() -> None:
    token = make_token(headers={"oiat": 1790000000, "x5u": "https://evil.example/key"})
    assert verify(token).user_id == "user_2Mia"


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "....", "é.é.é", "e30.e30.", "A" * 20_000])
def test_what_is_no_token_at_all_is_refused(text: str) -> None:
    assert refusal(text) in {"token-malformed", "token-algorithm"}


def test_a_payload_that_is_no_object_is_refused() -> None:
    header = {"alg": "RS256", "kid": KEY_ID}
    token = jwt.PyJWS().encode(b"[1,2]", KEY, algorithm="RS256", headers=header)
    assert refusal(token) == "token-malformed"


def test_the_role_has_its_prefix_in_both_versions() -> None:
    organization: dict[str, Any] = {
        "organization_id": SCHOOL,
        "organization_slug": "musicschool",
        "role": "org:instructor",
        "permissions": ("org:lessons:read",),
    }
    expected = ClaimedOrganization(
        id=SCHOOL,
        slug="musicschool",
        role="org:instructor",
        permissions=frozenset({"org:lessons:read"}),
    )
    first, second = (verify(make_token(version=version, **organization)) for version in (1, 2))
    assert (first.version, second.version) == (1, 2)
    assert first.organization == second.organization == expected


def test_an_organization_without_slug_is_still_an_organization() -> None:
    organization = verify(make_token(claims={"o": {"id": SCHOOL, "rol": "admin"}})).organization
    assert organization == ClaimedOrganization(SCHOOL, None, "org:admin", frozenset())


@pytest.mark.parametrize("claim", [None, {}, [], "org_2x", {"id": 5}, {"rol": "admin"}])
def test_a_malformed_organization_claim_is_no_organization(claim: Any) -> None:
    assert verify(make_token(claims={"o": claim})).organization is None


def test_an_impersonator_is_named() -> None:
    token = make_token(claims={"act": {"iss": ISSUER, "sid": "sess_2Support", "sub": "user_2Support"}})
    assert verify(token).actor == "user_2Support"


def test_the_permissions_of_the_vendors_example_are_read_as_it_says() -> None:
    assert decode_permissions("o:lessons,o:billing", "manage,read", "3,2") == {
        "org:lessons:manage",
        "org:lessons:read",
        "org:billing:read",
    }


def test_masks_count_the_organizations_features_even_after_a_personal_one() -> None:
    # The order in which Clerk's JavaScript and Python packages disagree: JavaScript is followed.
    assert decode_permissions("u:beta,o:lessons,uo:billing", "manage,read", "1,2") == {
        "org:lessons:manage",
        "org:billing:read",
    }


@pytest.mark.parametrize("mask", ["", "-1", "+3", "0x3", "1_1", "٣", "3.0", " ", "9" * 5000])
def test_a_mask_that_is_not_digits_grants_nothing(mask: str) -> None:
    assert decode_permissions("o:lessons", "manage,read", mask) == frozenset()


def test_masks_may_be_larger_than_a_float_can_hold_and_surplus_bits_are_dropped() -> None:
    verbs = ",".join(f"v{i}" for i in range(60))
    assert decode_permissions("o:lessons", verbs, str(1 << 59 | 1 << 70)) == {"org:lessons:v59"}


def test_features_without_a_mask_and_masks_without_a_feature_grant_nothing() -> None:
    assert decode_permissions("o:lessons,o:billing", "read", "1") == {"org:lessons:read"}
    assert decode_permissions("o:lessons", "read", "1,1") == {"org:lessons:read"}
    assert decode_permissions("", "read", "1") == frozenset()
