"""The rules that no linter knows hold here, and each notices what it forbids."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def rules(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("house_rules", project / "scripts" / "house_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules["house_rules"] = module
    spec.loader.exec_module(module)
    return module


def test_the_code_keeps_them(rules: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules.main() == 0, capsys.readouterr().out


BROKEN = [
    ("commit-outside-the-unit-of-work", "src/coursecove/bookings/x.py", "await session.commit()"),
    ("commit-outside-the-unit-of-work", "src/coursecove/app.py", "connection.commit ()"),
    (
        "session-scoped-setting",
        "src/coursecove/db/session.py",
        "select set_config('app.organization_id', :id, false)",
    ),
    ("session-scoped-setting", "src/coursecove/x.py", "set_config('app.organization_id', '1')"),
    ("session-scoped-setting", "src/coursecove/x.py", "SET app.organization_id = '1'"),
    ("session-scoped-setting", "src/coursecove/x.py", "set session app.organization_id to '1'"),
    ("inline-style-or-handler", "templates/x.html", '<p class="a" style="color: red">'),
    ("inline-style-or-handler", "templates/x.html", '<a href="/" onclick="go()">'),
    ("inline-style-or-handler", "templates/x.html", "<script>go()</script>"),
    ("address-of-another-host", "templates/x.html", '<link href="https://fonts.example/x.css">'),
    ("now-outside-the-clock", "src/coursecove/bookings/x.py", "now = datetime.now(UTC)"),
    ("room-named-after-nothing", "src/coursecove/bookings/helpers.py", ""),
]


@pytest.mark.parametrize(("rule", "path", "line"), BROKEN)
def test_each_notices_what_it_forbids(
    rules: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rule: str,
    path: str,
    line: str,
) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(f"{line}\n", encoding="utf-8")
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    assert rules.main() == 1
    said = capsys.readouterr().out
    assert said.startswith(path)
    assert f" {rule}: " in said


FINE = [
    ("src/coursecove/db/session.py", "await session.commit()"),
    ("src/coursecove/db/session.py", "select set_config('app.organization_id', :organization_id, true)"),
    ("src/coursecove/clock.py", "return datetime.now(UTC)"),
    ("templates/x.html", '<script src="/static/js/app.js" defer></script>'),
    ("templates/x.html", '<a href="{{ page.sign_in_href }}">'),
    ("templates/emails/x.html", '<td style="padding: 0">'),
]


@pytest.mark.parametrize(("path", "line"), FINE)
def test_none_forbids_what_is_fine(
    rules: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, line: str
) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(f"{line}\n", encoding="utf-8")
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    assert rules.main() == 0


def test_every_rule_is_tried(rules: ModuleType) -> None:
    assert {rule.name for rule in rules.RULES} == {name for name, _, _ in BROKEN}
