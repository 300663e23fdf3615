"""Settings come from the environment, whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from coursecove.config import ConfigurationError, Settings, load_settings, read_env_file, state_folder
from coursecove.gateway import Gateway
from coursecove.tenants.hosts import HostReader

SECRET = "whsec_Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWU="
OTHER_SECRET = "whsec_YW5vdGhlci1hbm90aGVyLWFub3RoZXItYW5vdGhlcg=="
COMPLETE = {
    "DATABASE_URL": "postgresql://coursecove_app:hunter2@db.internal:5432/coursecove",
    "REDIS_URL": "redis://:hunter2@redis.internal:6379/0",
    "BASE_DOMAIN": "CourseCove.com",
    "CLERK_PUBLISHABLE_KEY": "pk_live_Y2xlcmsuY291cnNlY292ZS5jb20k",
    "CLERK_SECRET_KEY": "sk_live_hunter2",
    "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
    "SMTP_URL": "smtp://user:hunter2@smtp.internal:587",
}


def load(**changes: str) -> Settings:
    return load_settings({name: value for name, value in (COMPLETE | changes).items() if value})


def problems(**changes: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(**changes)
    return refused.value.problems


def test_what_is_missing_is_named_all_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({})
    message = str(refused.value)
    for name in COMPLETE:
        assert f"- {name} " in message
    assert len(refused.value.problems) == len(COMPLETE)
    assert "7 setting(s)" in message
    assert ".env.example" in message


MALFORMED = {
    "APP_ENV": "staging",
    "DATABASE_URL": "mysql://host/db",
    "DATABASE_PLATFORM_URL": "postgresql://host",
    "DATABASE_OWNER_URL": "postgresql://host:port/db",
    "REDIS_URL": "localhost:6379",
    "BASE_DOMAIN": "https://coursecove.com:8000",
    "PUBLIC_SCHEME": "ftp",
    "PLATFORM_OPERATORS": "ops@example.com, olivia",
    "PUBLIC_PORT": "443a",
    "PORT": "70000",
    "CLERK_PUBLISHABLE_KEY": "pk_live_%%%",
    "CLERK_SECRET_KEY": "pk_live_mixed_up",
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_!",
    "CLERK_WEBHOOK_SECRET": "secret",
    "CLERK_JWT_KEY": "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----",
    "CLERK_API_URL": "api.clerk.com",
    "SMTP_URL": "http://smtp.internal",
    "MAIL_FROM": "lessons",
    "MAILBOX_URL": "mailbox",
    "TRUSTED_PROXIES": "10.0.0.0/8, proxy.internal",
    "LOG_FORMAT": "xml",
    "SECRET_KEY": "too-short",
    "RATE_LIMIT_PERSON": "-1",
    "RATE_LIMIT_ANONYMOUS": "many",
    "RATE_LIMIT_WRITES": "1.5",
    "RATE_LIMIT_ORGANIZATION": "6 000",
}


@pytest.mark.parametrize("name", list(MALFORMED))
def test_what_is_malformed_is_named(name: str) -> None:
    (problem,) = problems(**{name: MALFORMED[name]})
    assert problem.startswith(f"{name} ")


def test_everything_malformed_is_named_at_once() -> None:
    found = problems(**MALFORMED)
    assert sorted(problem.split(" ")[0] for problem in found) == sorted(MALFORMED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BASE_DOMAIN", "localhost"),
        ("BASE_DOMAIN", "coursecove.com/"),
        ("BASE_DOMAIN", "*.coursecove.com"),
        ("BASE_DOMAIN", "-coursecove.com"),
        ("BASE_DOMAIN", "coursecove.com:8000"),
        ("DATABASE_URL", "postgresql://[::1/coursecove"),
        ("DATABASE_URL", "postgresql:///coursecove"),
        ("PORT", "0"),
        ("PORT", "-1"),
        ("PORT", "８０００"),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_Y2xlcmsuY291cnNlY292ZS5jb20="),
        ("CLERK_PUBLISHABLE_KEY", "sk_live_Y2xlcmsuY291cnNlY292ZS5jb20k"),
        ("CLERK_PUBLISHABLE_KEY", "pk_live_ZXZpbC5leGFtcGxlL3BhdGgk"),
        ("CLERK_WEBHOOK_SIGNING_SECRET", "whsec_c2hvcnQ="),
        ("CLERK_WEBHOOK_SIGNING_SECRET", SECRET.removeprefix("whsec_")),
    ],
)
def test_almost_right_is_not_right(name: str, value: str) -> None:
    assert [problem.split(" ")[0] for problem in problems(**{name: value})] == [name]


def test_a_value_of_blanks_is_missing() -> None:
    assert problems(REDIS_URL="   ")[0].startswith("REDIS_URL is missing")


def test_what_is_left_out_has_a_sensible_value() -> None:
    settings = load()
    assert settings.app_env == "production"
    assert settings.base_domain == "coursecove.com"
    assert (settings.public_scheme, settings.public_port) == ("https", None)
    assert settings.database_platform_url == (
        "postgresql://coursecove_platform:hunter2@db.internal:5432/coursecove"
    )
    assert settings.database_owner_url == "postgresql://coursecove_owner:hunter2@db.internal:5432/coursecove"
    assert settings.clerk_api_url == "https://api.clerk.com/v1"
    assert settings.mail_from == "CourseCove <lessons@coursecove.com>"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.trusted_proxies == ()
    assert settings.metrics_token is None
    assert settings.mailbox_url is None
    assert settings.clerk_jwt_key is None
    assert settings.log_format == "json"
    assert settings.secret_key == settings.clerk_secret_key
    assert _rate_limits(settings) == (300, 120, 60, 6000)
    development = load(APP_ENV="development")
    assert (development.public_scheme, development.log_format) == ("http", "text")
    assert _rate_limits(development) == _rate_limits(load(APP_ENV="test")) == (0, 0, 0, 0)


def _rate_limits(settings: Settings) -> tuple[int, int, int, int]:
    return (
        settings.rate_limit_person,
        settings.rate_limit_anonymous,
        settings.rate_limit_writes,
        settings.rate_limit_organization,
    )


def test_what_is_given_is_taken() -> None:
    settings = load(
        DATABASE_URL="postgres://coursecove_app:p%40ss@db/coursecove?sslmode=require",
        DATABASE_OWNER_URL="postgresql://somebody:else@other/coursecove",
        CLERK_API_URL="http://127.0.0.1:8001/v1/",
        TRUSTED_PROXIES=" 10.0.0.0/8 , 127.0.0.1 ,",
        PUBLIC_PORT="8443",
        METRICS_TOKEN="scrape-me",
        SECRET_KEY="hunter2" * 8,
        RATE_LIMIT_PERSON="30",
        RATE_LIMIT_WRITES="0",
    )
    assert settings.secret_key == "hunter2" * 8
    assert _rate_limits(settings) == (30, 120, 0, 6000)
    assert settings.database_url == "postgresql://coursecove_app:p%40ss@db/coursecove?sslmode=require"
    assert settings.database_platform_url == (
        "postgresql://coursecove_platform:p%40ss@db/coursecove?sslmode=require"
    )
    assert settings.database_owner_url == "postgresql://somebody:else@other/coursecove"
    assert settings.clerk_api_url == "http://127.0.0.1:8001/v1"
    assert settings.trusted_proxies == ("10.0.0.0/8", "127.0.0.1")
    assert settings.origin("yoga") == "https://yoga.coursecove.com:8443"
    assert settings.origin() == "https://coursecove.com:8443"


def test_both_names_of_the_webhook_secret_are_read_and_both_secrets_accepted() -> None:
    assert load().clerk_webhook_secrets == (SECRET,)
    only_the_other = load(CLERK_WEBHOOK_SIGNING_SECRET="", CLERK_WEBHOOK_SECRET=OTHER_SECRET)
    assert only_the_other.clerk_webhook_secrets == (OTHER_SECRET,)
    assert load(CLERK_WEBHOOK_SECRET=OTHER_SECRET).clerk_webhook_secrets == (SECRET, OTHER_SECRET)
    assert load(CLERK_WEBHOOK_SECRET=SECRET).clerk_webhook_secrets == (SECRET,)


def test_a_key_on_one_line_is_read_as_pem() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert load(CLERK_JWT_KEY=pem).clerk_jwt_key == pem.strip()
    assert load(CLERK_JWT_KEY=pem.strip().replace("\n", "\\n")).clerk_jwt_key == pem.strip()


def test_secrets_show_up_in_no_representation() -> None:
    shown = repr(load(CLERK_WEBHOOK_SECRET=OTHER_SECRET, METRICS_TOKEN="hunter2", SECRET_KEY="hunter2" * 8))
    assert "coursecove.com" in shown
    for secret in ("hunter2", SECRET, OTHER_SECRET, "sk_live"):
        assert secret not in shown


def test_no_message_repeats_a_secret() -> None:
    found = "\n".join(
        problems(
            DATABASE_URL="mysql://app:hunter2@host/db",
            CLERK_SECRET_KEY="hunter2",
            CLERK_WEBHOOK_SIGNING_SECRET="hunter2",
            SMTP_URL="http://user:hunter2@host",
            REDIS_URL="http://:hunter2@host",
        )
    )
    assert "hunter2" not in found


def test_names_below_localhost_are_spoken_to_over_plain_http() -> None:
    """They are loopback and have no certificate."""
    local = load(CLERK_PUBLISHABLE_KEY="pk_test_Y2xlcmsuY291cnNlY292ZS5sb2NhbGhvc3Q6ODAwMSQ")
    assert local.clerk_frontend_api == "http://clerk.coursecove.localhost:8001"
    assert load().clerk_frontend_api == "https://clerk.coursecove.com"


def test_a_host_reader_takes_every_proxy_the_settings_let_through() -> None:
    reader = HostReader(load(TRUSTED_PROXIES="10.1.2.3/8,::1,192.168.0.1"))
    headers = [(b"host", b"inner"), (b"x-forwarded-host", b"coursecove.com")]
    assert repr(reader.read({"client": ("10.9.9.9", 1), "headers": headers})) == "Bare()"
    assert repr(reader.read({"client": ("11.9.9.9", 1), "headers": headers})) == "Elsewhere()"


def test_https_asks_browsers_to_stay_there() -> None:
    """The header of https origins, seen on the answer to an unreadable host, before anything is looked up."""
    import asyncio

    async def first_headers(settings: Settings) -> dict[bytes, bytes]:
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        parts = dict.fromkeys(("school", "platform", "directory", "authenticator", "limits", "error_page"))
        gateway = Gateway(settings, **parts)  # type: ignore[arg-type] # none of them is reached
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": {}}
        await gateway(scope, None, send)  # type: ignore[arg-type]
        return dict(sent[0]["headers"])  # type: ignore[call-overload, no-any-return]

    assert b"strict-transport-security" in asyncio.run(first_headers(load()))
    assert b"strict-transport-security" not in asyncio.run(first_headers(load(PUBLIC_SCHEME="http")))


def test_an_env_file_is_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# a comment\n\nA=1\nexport B = 'two words'\nC=\"x=y\"\nD=\nnonsense\n", encoding="utf-8")
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "x=y", "D": ""}
    assert read_env_file(tmp_path / "nothing") == {}


def test_the_state_folder_is_in_the_working_folder_unless_it_is_named(tmp_path: Path) -> None:
    assert state_folder({}) == Path(".coursecove").absolute()
    assert state_folder({"COURSECOVE_HOME": str(tmp_path)}) == tmp_path


class _Recording(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_the_example_explains_exactly_what_is_read(project: Path) -> None:
    recording = _Recording()
    with pytest.raises(ConfigurationError):
        load_settings(recording)
    example = (project / ".env.example").read_text(encoding="utf-8")
    named = re.findall(r"^#?([A-Z_]+)=", example, flags=re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == recording.asked | {"COURSECOVE_HOME", "DATABASE_ADMIN_URL"}
    for name in named:
        before = re.split(f"(?m)^#?{name}=", example)[0].splitlines()
        while re.match(r"^#?[A-Z_]+=", before[-1]):
            before.pop()
        assert before[-1].startswith("# "), f"{name} is not explained"


def test_the_example_is_a_complete_configuration(project: Path) -> None:
    settings = load_settings(read_env_file(project / ".env.example"))
    assert settings.origin("musicschool") == "https://musicschool.coursecove.com"
    assert settings.clerk_frontend_api == "https://clerk.coursecove.com"
