"""Rules of this house that no linter knows: run by `make lint`, each with its reason.

Every rule has a line that breaks it, and is tried on that line first: a rule
that cannot fail protects nothing.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Rule:
    name: str
    pattern: re.Pattern[str]
    files: str
    allowed: tuple[str, ...]
    reason: str
    breaks: str


RULES = (
    Rule(
        "commit-outside-the-unit-of-work",
        re.compile(r"\.commit\s*\("),
        "src/coursecove/**/*.py",
        ("src/coursecove/db/session.py",),
        "a transaction ends in db/session.py and nowhere else",
        "await session.commit()",
    ),
    Rule(
        "session-scoped-setting",
        re.compile(r"set_config\s*\((?![^)]*,\s*true\s*\))|(?i:\bset\s+(session\s+)?app\.)"),
        "src/**/*.py",
        (),
        "a setting that outlives its transaction leaks into the next tenant's",
        "select set_config('app.organization_id', %s, false)",
    ),
    Rule(
        "inline-style-or-handler",
        re.compile(r"<[a-z][^>]*\s(?:style|on[a-z]+)\s*=|<style|<script(?![^>]*\bsrc=)", re.IGNORECASE),
        "templates/**/*.html",
        ("templates/emails/",),
        "the Content-Security-Policy forbids it",
        '<p style="color: red">',
    ),
    Rule(
        "address-of-another-host",
        re.compile(r"(?:src|href)\s*=\s*[\"']https?://(?!\{\{)", re.IGNORECASE),
        "templates/**/*.html",
        (),
        "no page fetches from, or needs, the internet",
        '<script src="https://cdn.example.com/x.js"></script>',
    ),
    Rule(
        "now-outside-the-clock",
        re.compile(r"datetime\.(?:now|utcnow)\s*\(|date\.today\s*\("),
        "src/coursecove/**/*.py",
        ("src/coursecove/clock.py", "src/coursecove/dev/"),
        "time enters at clock.now(), so that tests can stand anywhere in a year",
        "datetime.now(UTC)",
    ),
    Rule(
        "room-named-after-nothing",
        re.compile(r"(?:^|/)(?:utils?|helpers?|common|misc|v\d+)(?:\.py$|/)"),
        "src/coursecove/**/*.py",
        (),
        "a line of code lives in a place that says why",
        "src/coursecove/utils.py",
    ),
)


def main() -> int:
    problems = []
    for rule in RULES:
        if not rule.pattern.search(rule.breaks):
            problems.append(f"scripts/house_rules.py: {rule.name} does not catch its own example")
        for path in sorted(ROOT.glob(rule.files)):
            name = path.relative_to(ROOT).as_posix()
            if name.startswith(rule.allowed):
                continue
            if rule.name == "room-named-after-nothing":
                if rule.pattern.search(name):
                    problems.append(f"{name}: {rule.name}: {rule.reason}")
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if rule.pattern.search(line):
                    problems.append(f"{name}:{number}: {rule.name}: {rule.reason}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
