"""What becomes of a school's colour: the same rules as static/css/src/tokens.css, in words and samples.

The stylesheet bounds the lightness of every colour it makes of the brand, so no
choice is refused; this says beforehand what will be seen.
"""

from __future__ import annotations

from typing import Any

from coursecove.i18n import _

# OKLCH lightness: above the first a button keeps its colour under dark text, below it is brought to the
# second; a link on a light page is at most the third.
_PALE, _DARK_ENOUGH, _LINK = 0.72, 0.53, 0.47
_READABLE = 4.5
_WHITE, _NEARLY_BLACK = "#ffffff", "#111114"


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours ``#rrggbb``, 1 to 21 (WCAG 2.2)."""
    first, second = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (first + 0.05) / (second + 0.05)


def _linear(color: str) -> tuple[float, float, float]:
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def _luminance(color: str) -> float:
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _oklab(color: str) -> tuple[float, float, float]:
    red, green, blue = _linear(color)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _with_lightness(color: str, lightness: float) -> str:
    """Return the colour with another OKLCH lightness, inside sRGB."""
    was, a, b = _oklab(color)
    if was <= lightness:
        return color
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    channels = (min(max(c, 0.0), 1.0) for c in linear)
    coded = (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in channels)
    return "#" + "".join(f"{round(c * 255):02x}" for c in coded)


def colour_words(color: str) -> dict[str, Any]:
    """Return samples and sentences about ``#rrggbb``: what buttons, links and mails make of it."""
    lightness = _oklab(color)[0]
    white = contrast(color, _WHITE)
    if lightness > _PALE:
        button, on_button = color, _NEARLY_BLACK
        said = _("It is pale, so buttons keep it and take dark text.")
    elif lightness > _DARK_ENOUGH:
        button, on_button = _with_lightness(color, _DARK_ENOUGH), _WHITE
        said = _("White text on it would be hard to read, so buttons take a darker shade of it.")
        if white >= _READABLE:
            said = _("Buttons take a slightly darker shade of it, with white text.")
    else:
        button, on_button = color, _WHITE
        said = _("Buttons take it as it is, with white text.")
    link = _with_lightness(color, _LINK)
    mail = _WHITE if white >= _READABLE else _NEARLY_BLACK
    lines = [said]
    if link != color:
        lines.append(_("Links take a darker shade on light pages, and a lighter one on dark pages."))
    else:
        lines.append(_("Links take it on light pages, and a lighter shade on dark pages."))
    if mail == _WHITE:
        lines.append(_("In mails, buttons take it with white text."))
    else:
        lines.append(_("In mails, buttons take it with dark text."))
    return {
        "color": color,
        "button": button,
        "on_button": on_button,
        "link": link,
        "mail_text": mail,
        "ratio": _("contrast {ratio} to 1").format(ratio=f"{contrast(button, on_button):.1f}"),
        "lines": lines,
    }
