"""Logs are JSON lines on standard error, with the request's id, which Celery carries on to the worker."""

from __future__ import annotations

from typing import Any

import structlog


def _without_traces(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Nothing that could lead to a source is logged: neither an address nor a browser."""
    for name in ("ip", "user_agent"):
        event.pop(name, None)
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    _without_traces,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": _SHARED,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"celery": {"level": "WARNING"}, "kombu": {"level": "WARNING"}},
}


def configure_structlog() -> None:
    """Send structlog's events down the standard library's road, so that there is one format."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
