"""Build static/css/app.css from static/css/src/app.css; `make css` runs it.

With --check it writes nothing and fails when the committed file differs from what the sources give.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "static/css/src/app.css"
STYLE = ROOT / "static/vendor/basecoat/styles/vega.css"
# Basecoat keeps the look of all its components in one file. We take these parts of it and leave
# the rest, which would triple the stylesheet for components no page has.
PARTS = (
    "Button",
    "Textarea",
    "Input",
    "Native Select",
    "Alert",
    "Avatar",
    "Badge",
    "Breadcrumb",
    "Card",
    "Dialog",
    "Empty",
    "Field",
    "Checkbox",
    "Kbd",
    "Label",
    "Radio",
    "Skeleton",
    "Switch",
    "Table",
)
TARGET = ROOT / "static/css/app.css"


def basecoat_style() -> str:
    """The parts of Basecoat's look that we use; raises ValueError when a part is not in the vendored file."""
    parts: dict[str, list[str]] = {}
    current = ""
    for line in STYLE.read_text(encoding="utf-8").splitlines():
        if line.strip() in ("@layer components {", "}") and not line.startswith(" "):
            continue
        text = line.strip()
        if text.startswith("/* ") and text.endswith(" */"):
            current = text[3:-3]
        parts.setdefault(current, []).append(line)
    missing = [name for name in PARTS if name not in parts]
    if missing:
        raise ValueError(f"Basecoat's style has no part named {', '.join(missing)}")
    body = "\n".join("\n".join(parts[name]) for name in PARTS)
    return f"@layer components {{\n{body}\n}}\n"


def build(target: Path) -> None:
    """Write the minified stylesheet; raises CalledProcessError with the compiler's words when it fails."""
    # It works on a copy, because the generated part must lie beside the sources that import it and
    # two builds may run at once.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("templates", "scripts/gallery"):
            shutil.copytree(ROOT / name, copy / name)
        shutil.copytree(SOURCE.parent, copy / "static/css/src")
        shutil.copytree(STYLE.parent.parent, copy / "static/vendor/basecoat")
        (copy / "static/css/src/basecoat-style.css").write_text(basecoat_style(), encoding="utf-8")
        subprocess.run(
            [
                str(Path(sys.executable).with_name("tailwindcss")),
                "--input",
                str(copy / SOURCE.relative_to(ROOT)),
                "--output",
                str(target),
                "--minify",
            ],
            cwd=copy,
            check=True,
            capture_output=True,
            text=True,
        )


def main(arguments: list[str]) -> int:
    """Build, or with --check compare; the answer is the exit code."""
    check = "--check" in arguments
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "app.css"
        try:
            build(built)
        except subprocess.CalledProcessError as failure:
            print(failure.stderr, file=sys.stderr)
            return 1
        css = built.read_bytes()
    if check:
        same = TARGET.exists() and TARGET.read_bytes() == css
        if not same:
            print("static/css/app.css is not what its sources give: run `make css`.", file=sys.stderr)
        return 0 if same else 1
    TARGET.write_bytes(css)
    print(f"static/css/app.css: {len(css) / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
