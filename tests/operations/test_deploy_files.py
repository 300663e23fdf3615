"""The files under deploy/ fit the product and one another.

No Docker engine runs here: the composition is read, not started.  What it is made
of is tested for itself: pgbouncer in test_pgbouncer.py, the commands by the demo.
"""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # no stubs

from coursecove.cli import main
from coursecove.config import load_settings


@pytest.fixture(scope="module")
def deploy(project: Path) -> Path:
    return project / "deploy"


@pytest.fixture(scope="module")
def composition(deploy: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((deploy / "docker-compose.yml").read_text())
    return found


def _settings_of(service: dict[str, Any]) -> dict[str, str]:
    """Return a service's variables with made-up secrets in the place of those the operator fills in."""
    made_up = {
        "BASE_DOMAIN": "coursecove.com",
        "CLERK_PUBLISHABLE_KEY": "pk_live_Y2xlcmsuY291cnNlY292ZS5jb20k",
        "CLERK_SECRET_KEY": "sk_live_secret",
        "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "SECRET_KEY": "0123456789abcdef0123456789abcdef",
        "SMTP_URL": "smtp://mail.example:587",
        "PLATFORM_OPERATORS": "",
    }
    return {
        name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: made_up.get(found[1], "secret"), str(value))
        for name, value in service["environment"].items()
    }


@pytest.mark.parametrize("name", ["web", "worker", "prepare"])
def test_the_settings_of_a_service_are_settings_the_product_accepts(
    composition: dict[str, Any], name: str
) -> None:
    settings = load_settings(_settings_of(composition["services"][name]))
    assert settings.app_env == "production"
    assert settings.rate_limit_person > 0


@pytest.mark.parametrize("name", ["web", "worker", "prepare"])
def test_the_command_of_a_service_is_one_of_ours(composition: dict[str, Any], name: str) -> None:
    program, *words = composition["services"][name]["command"]
    assert program == "coursecove"
    command: Any = main
    for word in words:
        command = command.commands[word]


def test_who_serves_goes_through_pgbouncer_and_who_migrates_goes_past_it(composition: dict[str, Any]) -> None:
    for name in ("web", "worker"):
        settings = load_settings(_settings_of(composition["services"][name]))
        assert "@pgbouncer:6432/" in settings.database_url
        assert "@pgbouncer:6432/" in settings.database_platform_url
    prepare = load_settings(_settings_of(composition["services"]["prepare"]))
    assert "@postgres:5432/" in prepare.database_url
    assert "@postgres:5432/" in prepare.database_owner_url


def test_the_proxy_that_is_believed_is_the_one_of_this_network(composition: dict[str, Any]) -> None:
    settings = load_settings(_settings_of(composition["services"]["web"]))
    [subnet] = [entry["subnet"] for entry in composition["networks"]["house"]["ipam"]["config"]]
    assert [ip_network(proxy) for proxy in settings.trusted_proxies] == [ip_network(subnet)]


def test_every_service_waits_for_services_that_exist_and_mounts_files_that_exist(
    composition: dict[str, Any], deploy: Path
) -> None:
    services = composition["services"]
    for service in services.values():
        assert set(service.get("depends_on", ())) <= set(services)
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            if source.startswith("./"):
                assert (deploy / source).is_file(), source


def test_only_the_proxy_is_open_to_the_world(composition: dict[str, Any]) -> None:
    assert [name for name, service in composition["services"].items() if "ports" in service] == ["proxy"]


def test_pgbouncer_shares_connections_by_transaction(deploy: Path) -> None:
    """Fewer connections of the server than Postgres allows, for both roles together."""
    read = configparser.ConfigParser()
    read.read(deploy / "pgbouncer.ini")
    assert read["pgbouncer"]["pool_mode"] == "transaction"
    assert 2 * int(read["pgbouncer"]["default_pool_size"]) < 120


@pytest.mark.parametrize("name", ["web", "worker"])
def test_the_units_start_what_there_is_and_have_time_to_end(deploy: Path, name: str) -> None:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    path = deploy / "systemd" / f"coursecove-{name}@.service"
    read.read(path)
    command = read["Service"]["ExecStart"].split()[-1]
    assert command in main.commands
    assert float(read["Service"]["TimeoutStopSec"]) > 5
    if shutil.which("systemd-analyze"):
        said = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
        ).stderr
        # The program and the user are made by whoever installs it.
        strange = [line for line in said.splitlines() if path.name in line and "not executable" not in line]
        assert strange == []
