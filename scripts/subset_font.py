"""Make the fonts of static/vendor/inter/ from the files of the npm package, smaller by what no page uses.

    python -m pip install fonttools==4.60.1 brotli==1.2.0
    python scripts/subset_font.py node_modules/@fontsource-variable/inter/files

Weights end at those of our styles, and of the features of OpenType those stay that text
and tabular figures need.  Which characters there are stays as it was.  Not part of the
development environment: it runs when Inter is updated, and the files are committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "static/vendor/inter"
# What the package calls them, and what we do: another name, because files are kept for a year.
FILES = {
    "inter-latin-wght-normal.woff2": "inter-latin-400-700.woff2",
    "inter-latin-ext-wght-normal.woff2": "inter-latin-ext-400-700.woff2",
}
WEIGHTS = (400, 700)
FEATURES = ("ccmp", "locl", "kern", "mark", "mkmk", "calt", "tnum")


def main(arguments: list[str]) -> int:
    """Write each font; the answer is the exit code."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont
    from fontTools.varLib.instancer import instantiateVariableFont

    for name, target in FILES.items():
        source = Path(arguments[0], name)
        font = TTFont(source, recalcTimestamp=False)
        options = Options()
        options.layout_features = list(FEATURES)
        options.hinting = False
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=font.getBestCmap())
        subsetter.subset(font)
        instantiateVariableFont(font, {"wght": WEIGHTS}, inplace=True)
        font.flavor = "woff2"
        font.save(TARGET / target)
        print(f"{target}: {source.stat().st_size:,} → {(TARGET / target).stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
