"""Logs: one line per fact, as JSON for machines or as text for people.

What must never be in a log is taken out here, once, whoever writes the line:
bodies, headers, cookies, tokens, and the parameters that database errors carry.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from functools import lru_cache
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HIDDEN = "[hidden]"
_SECRET_NAMES = re.compile(
    r"(?:^|_)(?:body|payload|headers?|cookies?|set_cookie|authorization|token|tokens|jwt|password|passwd|secrets?"
    r"|signature|api_key|secret_key|session_token|dsn|url_with_credentials)$",
    re.IGNORECASE,
)
# Tokens and keys that slipped into a sentence: JWTs, Clerk keys, Svix secrets, passwords in URLs.
_SECRET_TEXTS = (
    (re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), _HIDDEN),
    (re.compile(r"\b(?:sk_(?:test|live)_|whsec_|whsk_)[\w+/=-]+"), _HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {_HIDDEN}"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/@]+@"), rf"\1:{_HIDDEN}@"),
    # SQLAlchemy appends the parameters of a failed statement, Postgres the values of a violated key.
    (re.compile(r"\[parameters: .*?\](?=\n|$)", re.DOTALL), f"[parameters: {_HIDDEN}]"),
    (re.compile(r"(?m)^(\s*)(DETAIL|CONTEXT):.*$"), rf"\1\2: {_HIDDEN}"),
)
# What every one of these has in it, so that an ordinary value is looked through once.
_SUSPICIOUS = re.compile(r"eyJ|sk_|whs|://|\[parameters: |DETAIL:|CONTEXT:|bearer|basic", re.IGNORECASE)
# Libraries that say at INFO what only their own developers want to know, or put addresses into their lines.
_QUIET = ("httpx", "httpcore", "dramatiq", "asyncio", "sqlalchemy", "alembic", "mail", "uvicorn")


def scrub(text: str) -> str:
    """Return ``text`` without the secrets and the personal data it is known to pick up."""
    if not _SUSPICIOUS.search(text):
        return text
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


def hide_secrets(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Replace secret values by name, and secret-looking text anywhere in the line."""
    return {
        name: _HIDDEN if _is_secret(name) and value is not None else _clean(value)
        for name, value in line.items()
    }


@lru_cache(maxsize=512)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, bytes):
        return _HIDDEN
    if isinstance(value, dict):
        return {key: _HIDDEN if _is_secret(str(key)) else _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def configure_logging(
    log_format: str = "json", *, level: int = logging.INFO, stream: TextIO | None = None
) -> None:
    """Send every log line of this process, the libraries' too, to ``stream`` (standard error).

    ``log_format`` is ``json`` or ``text``.  Calling it again replaces what was set.
    """
    stream = stream or sys.stderr
    # No line shows them, and asking the system for each cost a fifth of a line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # A later call has to reach loggers that were made at import.
        cache_logger_on_first_use=False,
    )
    global _quick
    _quick = _straight_to(stream, level) if log_format == "json" else None
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        quiet = logging.getLogger(name)
        quiet.handlers = []
        quiet.propagate = True
        quiet.setLevel(max(level, logging.WARNING))


#: Writes lines of plain values without the standard library's records; None where people read the log.
_quick: Any = None


def say_often(logger: str, event: str, **values: str | float) -> None:
    """Say something that is said with every request: the same line in a third of the time."""
    if _quick is None:
        structlog.get_logger(logger).info(event, **values)
    else:
        _quick.info(event, logger=logger, **values)


def _straight_to(stream: TextIO, level: int) -> Any:
    return structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            hide_secrets,
            # There is nothing in such a line that JSON does not know.
            structlog.processors.JSONRenderer(serializer=lambda line, **_options: json.dumps(line)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    ).bind()


def _renderer(log_format: str, stream: TextIO) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
