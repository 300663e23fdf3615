"""Organization permissions as version 2 session tokens encode them.

Source of the rule: Clerk's own JavaScript packages.  ``fea`` lists features
with their scope (``o:lessons,u:beta,uo:billing``), ``o.per`` the verbs and
``o.fpm`` one decimal bit mask per *organization-scoped* feature, bit 0 being
the first verb.
"""

from __future__ import annotations

import structlog

_log = structlog.get_logger(__name__)


def decode_permissions(features: str, verbs: str, masks: str) -> frozenset[str]:
    """Return ``org:<feature>:<verb>`` for every set bit.

    Fails closed: a mask that is not made of digits grants nothing, and bits
    beyond the list of verbs are dropped.
    """
    names = _organization_features(features)
    verb_list = [verb.strip() for verb in verbs.split(",")] if verbs else []
    mask_list = [_mask(text) for text in masks.split(",")] if masks else []
    return frozenset(
        f"org:{feature}:{verb}"
        for feature, mask in zip(names, mask_list, strict=False)
        for position, verb in enumerate(verb_list)
        if feature and verb and mask >> position & 1
    )


def _organization_features(features: str) -> list[str]:
    names: list[str] = []
    personal_first = False
    for entry in filter(None, (part.strip() for part in features.split(","))):
        scope, _, name = entry.partition(":")
        if "o" in scope:
            if personal_first:
                # Clerk's Python package counts masks over the whole list, its JavaScript
                # over the organization's features; only here do the two differ.
                _log.warning("clerk_feature_order_ambiguous", features=features)
                personal_first = False
            names.append(name)
        elif not names:
            personal_first = True
    return names


def _mask(text: str) -> int:
    text = text.strip()
    # int() also takes signs, underscores and other scripts' digits, and refuses
    # more than 4,300 of them; a mask is none of that.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 1000 else 0
