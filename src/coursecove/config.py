"""Settings: one frozen object read from the environment at start.

A start with missing or malformed settings stops with one message that names
them all, because finding them one restart at a time is nobody's idea of fun.
``.env.example`` explains every variable.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_HOST = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")


class ConfigurationError(Exception):
    """The environment does not describe a runnable CourseCove."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(
            f"CourseCove cannot start, {len(problems)} setting(s) need attention:\n{lines}\n"
            "Every variable is explained in .env.example."
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a running CourseCove needs to know.  URLs carry secrets: hidden from repr."""

    app_env: str
    database_url: str = field(repr=False)
    database_platform_url: str = field(repr=False)
    database_owner_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    base_domain: str
    public_scheme: str
    public_port: int | None
    clerk_publishable_key: str
    clerk_secret_key: str = field(repr=False)
    clerk_webhook_secrets: tuple[str, ...] = field(repr=False)
    clerk_jwt_key: str | None
    clerk_api_url: str
    smtp_url: str = field(repr=False)
    mail_from: str
    mailbox_url: str | None
    trusted_proxies: tuple[str, ...]
    metrics_token: str | None = field(repr=False)
    #: What keys of our own are derived from; never used as it is.
    secret_key: str = field(repr=False)
    #: Requests in 60 seconds: of one person at one school, of one address of visitors there, changes
    #: of one of either, and of the whole school. 0 means no limit.
    rate_limit_person: int
    rate_limit_anonymous: int
    rate_limit_writes: int
    rate_limit_organization: int
    platform_operators: tuple[str, ...]
    #: Whether Postgres keeps the plans of statements per connection; not through pgbouncer before 1.21.
    database_prepare: bool
    log_format: str
    host: str
    port: int

    def origin(self, slug: str | None = None) -> str:
        """Return the public origin of a school (or of the bare domain), without a trailing slash."""
        host = f"{slug}.{self.base_domain}" if slug else self.base_domain
        port = f":{self.public_port}" if self.public_port else ""
        return f"{self.public_scheme}://{host}{port}"

    @property
    def clerk_frontend_api(self) -> str:
        """Return the origin of Clerk's Frontend API, which is also the issuer of its tokens.

        Source: Clerk's publishable key is a prefix and the base64 of ``<host>$``.
        Names below ``.localhost`` are loopback and have no certificate, so they
        are spoken to over plain http.
        """
        host = _frontend_api_host(self.clerk_publishable_key)
        scheme = "http" if host.split(":")[0].endswith(".localhost") else "https"
        return f"{scheme}://{host}"

    @property
    def is_development(self) -> bool:
        """Say whether this is a developer's machine (demo schools may be listed, for example)."""
        return self.app_env == "development"


def _frontend_api_host(key: str) -> str:
    for prefix in ("pk_test_", "pk_live_"):
        if key.startswith(prefix):
            encoded = key[len(prefix) :]
            try:
                decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii")
            except (binascii.Error, ValueError):
                break
            host = decoded.removesuffix("$")
            if decoded.endswith("$") and re.fullmatch(r"[a-z0-9.-]+(:\d{1,5})?", host):
                return host
            break
    raise ValueError("is not a Clerk publishable key (pk_test_… or pk_live_…)")


def _with_user(url: str, user: str) -> str:
    """Return the same database URL for another role that shares its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # Complained about already; the start ends with the complaints.
        return url
    credentials, at, host = parts.netloc.rpartition("@")
    password = credentials.partition(":")[2] if at else ""
    userinfo = f"{user}:{password}" if password else user
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{host}"))


class _Reader:
    """Collects problems while reading, so that all of them can be told at once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def text(
        self,
        name: str,
        default: str | None = None,
        *,
        check: Callable[[str], str | None] = lambda _: None,
        why: str = "",
    ) -> str:
        value = self.environ.get(name, "").strip()
        if not value:
            if default is None:
                self.problems.append(f"{name} is missing: {why}")
                return ""
            return default
        problem = check(value)
        if problem:
            self.problems.append(f"{name} {problem}")
        return value

    def port(self, name: str, default: int | None) -> int | None:
        value = self.environ.get(name, "").strip()
        if not value:
            return default
        if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
            self.problems.append(f"{name} must be a port number between 1 and 65535")
            return default
        return int(value)

    def number(self, name: str, default: int) -> int:
        value = self.environ.get(name, "").strip()
        if not value:
            return default
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            self.problems.append(f"{name} must be a whole number (0 means no limit)")
            return default
        return int(value)


def _check_url(*schemes: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            return "is not a valid URL"
        if parts.scheme not in schemes or not parts.hostname:
            return f"must start with {' or '.join(s + '://' for s in schemes)} and name a host"
        return None

    return check


def _check_database(value: str) -> str | None:
    problem = _check_url("postgresql", "postgres")(value)
    if problem:
        return problem
    if not urlsplit(value).path.strip("/"):
        return "must name a database, as in postgresql://user:password@host/coursecove"
    return None


def _check_publishable_key(value: str) -> str | None:
    try:
        _frontend_api_host(value)
    except ValueError as error:
        return str(error)
    return None


def _check_webhook_secret(value: str) -> str | None:
    encoded = value.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith("whsec_") or len(key) < 16:
        return "must be the endpoint's signing secret, whsec_ and base64 (Clerk dashboard, Webhooks)"
    return None


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _check_networks(value: str) -> str | None:
    for name in _names(value):
        try:
            ip_network(name, strict=False)
        except ValueError:
            return "must be addresses or networks separated by commas, as in 10.0.0.0/8, 192.168.1.7"
    return None


def _check_people(value: str) -> str | None:
    for name in _names(value):
        address = 0 < name.find("@") < len(name) - 1
        if not (address or re.fullmatch(r"user_\w+", name, re.ASCII)):
            return "must be e-mail addresses or Clerk user ids (user_…) separated by commas"
    return None


def _is_public_key(pem: str) -> bool:
    # Imported here: most deployments fetch the keys, and every command reads the settings.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return isinstance(load_pem_public_key(pem.encode()), RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        return False


def _one_of(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: None if value in allowed else f"must be one of {', '.join(allowed)}"


def _normal_database_url(url: str) -> str:
    return "postgresql://" + url.partition("://")[2] if url else url


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the settings.

    Raises :class:`ConfigurationError` naming every missing or malformed
    variable at once.
    """
    read = _Reader(os.environ if environ is None else environ)
    app_env = read.text("APP_ENV", "production", check=_one_of("development", "production", "test"))
    database_url = _normal_database_url(
        read.text(
            "DATABASE_URL",
            check=_check_database,
            why="the connection of role coursecove_app, postgresql://coursecove_app:…@host/coursecove",
        )
    )
    platform_url = read.text("DATABASE_PLATFORM_URL", "", check=_check_database)
    owner_url = read.text("DATABASE_OWNER_URL", "", check=_check_database)
    redis_url = read.text("REDIS_URL", check=_check_url("redis", "rediss"), why="redis://host:6379/0")
    base_domain = read.text(
        "BASE_DOMAIN",
        check=lambda v: (
            None
            if _HOST.match(v.lower())
            else "must be a bare host name such as coursecove.com, without scheme or port"
        ),
        why="the domain whose subdomains are the schools, for example coursecove.com",
    ).lower()
    public_scheme = read.text(
        "PUBLIC_SCHEME",
        "https" if app_env == "production" else "http",
        check=_one_of("http", "https"),
    )
    port = read.port("PORT", 8000) or 8000
    public_port = read.port("PUBLIC_PORT", None)
    publishable_key = read.text(
        "CLERK_PUBLISHABLE_KEY",
        check=_check_publishable_key,
        why="pk_test_… or pk_live_… (Clerk dashboard, API keys)",
    )
    secret_key = read.text(
        "CLERK_SECRET_KEY",
        check=lambda v: None if v.startswith("sk_") else "must start with sk_test_ or sk_live_",
        why="sk_test_… or sk_live_… (Clerk dashboard, API keys)",
    )
    own_secret = read.text(
        "SECRET_KEY",
        "",
        check=lambda v: (
            None if len(v) >= 32 else "must have at least 32 random characters (openssl rand -hex 32)"
        ),
    )
    # Everybody on a developer's machine has the same address, and tests are nobody's flood.
    limited = app_env == "production"
    secrets = []
    for name in ("CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET"):
        secret = read.text(name, "", check=_check_webhook_secret)
        if secret and secret not in secrets:
            secrets.append(secret)
    if not secrets:
        read.problems.append(
            "CLERK_WEBHOOK_SIGNING_SECRET (or CLERK_WEBHOOK_SECRET) is missing: "
            "whsec_… (Clerk dashboard, Webhooks)"
        )
    # A PEM in an environment variable often arrives with its line breaks escaped.
    jwt_key = read.text("CLERK_JWT_KEY", "").replace("\\n", "\n") or None
    if jwt_key and not _is_public_key(jwt_key):
        read.problems.append("CLERK_JWT_KEY must be a PEM public key (-----BEGIN PUBLIC KEY-----)")
    clerk_api_url = read.text(
        "CLERK_API_URL", "https://api.clerk.com/v1", check=_check_url("https", "http")
    ).rstrip("/")
    smtp_url = read.text(
        "SMTP_URL",
        check=_check_url("smtp", "smtps"),
        why="where mail leaves, smtp://user:password@host:587 or smtps://…",
    )
    mail_from = read.text(
        "MAIL_FROM",
        f"CourseCove <lessons@{base_domain or 'localhost'}>",
        check=lambda v: None if "@" in v else "must be an address such as lessons@coursecove.com",
    )
    settings = Settings(
        app_env=app_env,
        database_url=database_url,
        database_platform_url=_normal_database_url(platform_url)
        or _with_user(database_url, "coursecove_platform"),
        database_owner_url=_normal_database_url(owner_url) or _with_user(database_url, "coursecove_owner"),
        redis_url=redis_url,
        base_domain=base_domain,
        public_scheme=public_scheme,
        public_port=public_port,
        clerk_publishable_key=publishable_key,
        clerk_secret_key=secret_key,
        clerk_webhook_secrets=tuple(secrets),
        clerk_jwt_key=jwt_key,
        clerk_api_url=clerk_api_url,
        smtp_url=smtp_url,
        mail_from=mail_from,
        mailbox_url=read.text("MAILBOX_URL", "", check=_check_url("http", "https")) or None,
        trusted_proxies=_names(read.text("TRUSTED_PROXIES", "", check=_check_networks)),
        metrics_token=read.text("METRICS_TOKEN", "") or None,
        secret_key=own_secret or secret_key,
        rate_limit_person=read.number("RATE_LIMIT_PERSON", 300 if limited else 0),
        rate_limit_anonymous=read.number("RATE_LIMIT_ANONYMOUS", 120 if limited else 0),
        rate_limit_writes=read.number("RATE_LIMIT_WRITES", 60 if limited else 0),
        rate_limit_organization=read.number("RATE_LIMIT_ORGANIZATION", 6000 if limited else 0),
        platform_operators=_names(read.text("PLATFORM_OPERATORS", "", check=_check_people)),
        database_prepare=read.text("DATABASE_PREPARE", "off", check=_one_of("on", "off")) == "on",
        log_format=read.text(
            "LOG_FORMAT",
            "json" if app_env == "production" else "text",
            check=_one_of("json", "text"),
        ),
        host=read.text("HOST", "127.0.0.1"),
        port=port,
    )
    if read.problems:
        raise ConfigurationError(read.problems)
    return settings


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of local state (``COURSECOVE_HOME``, default ``.coursecove/``)."""
    environ = os.environ if environ is None else environ
    return Path(environ.get("COURSECOVE_HOME") or ".coursecove").absolute()


def read_env_file(path: Path) -> dict[str, str]:
    """Read ``KEY=value`` lines; blank lines and ``#`` comments are skipped, quotes taken off.

    Returns an empty mapping when the file does not exist.
    """
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name.removeprefix("export ").strip()] = value
    return values


def project_data(name: str) -> Path:
    """Return the folder ``templates``, ``static`` or ``migrations``, in a checkout or in an installed wheel."""
    checkout = Path(__file__).resolve().parents[2] / name
    return checkout if checkout.is_dir() else Path(__file__).resolve().parent / "_data" / name
