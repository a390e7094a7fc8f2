"""Reading the environment: a value is understood or the start is refused, with what to write instead."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import shutil
import tempfile
from pathlib import Path

from cryptography import x509
from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.sockets import socket_folder
from evidence.errors import FormatError
from evidence.log.note import ED25519, Vkey
from evidence.log.policy import parse_policy

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED_DATABASE = "custos"
APPLICATION_ROLE = "custos_app"
LEDGER_QUEUE = "ledger"
"""Has a worker of its own, so that nobody's receipt waits behind somebody's long analysis."""
SAMPLE_LOG = f"log {Vkey('sample', ED25519, bytes(32))}"
"""Makes a whole policy of lines about witnesses."""
BROKERS = ("pgmq", "amqp", "amqps", "redis", "rediss", "memory")


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def number(name: str, default: int, lowest: int, highest: int) -> int:
    """An integer in a range. Raises `ImproperlyConfigured`."""
    value = text(name, str(default))
    if not value.isdecimal() or not lowest <= int(value) <= highest:
        raise ImproperlyConfigured(f"{name}={value!r}: write a number from {lowest} to {highest}")
    return int(value)


def flag(name: str) -> bool:
    value = text(name, "0").lower()
    if value not in ("0", "1", "true", "false"):
        raise ImproperlyConfigured(f"{name}={value!r}: write 1 or 0")
    return value in ("1", "true")


def public_url(default: str) -> str:
    """Where people reach the service: scheme and host, and no path. Raises `ImproperlyConfigured`."""
    value = text("CUSTOS_PUBLIC_URL", default)
    if re.fullmatch(r"https?://[^/\s?#]+", value) is None:
        raise ImproperlyConfigured(f"CUSTOS_PUBLIC_URL={value!r}: write https://host, with a port if need be, no path")
    return value


def origin(default: str) -> str:
    """The log's name for ever: the URL of its prefix without the scheme. Raises `ImproperlyConfigured`."""
    value = text("CUSTOS_ORIGIN", default)
    if re.fullmatch(r"[!-*,-~]+", value) is None or "://" in value or value.endswith("/"):
        raise ImproperlyConfigured(f"CUSTOS_ORIGIN={value!r}: write host/path, without https:// and without a final /")
    return value


def witnesses() -> str:
    """The file with witness, group and quorum lines, or nothing. Raises `ImproperlyConfigured`."""
    value = text("CUSTOS_WITNESSES", "")
    if not value:
        return ""
    try:
        lines = Path(value).read_text(encoding="utf-8")
        found = parse_policy(f"{SAMPLE_LOG}\n{lines}")
    except (OSError, UnicodeDecodeError, FormatError) as error:
        raise ImproperlyConfigured(f"CUSTOS_WITNESSES={value!r}: {error}; see docs/witnesses.md") from error
    silent = sorted(set(found.witnesses) - set(found.urls))
    if silent or any(not url.startswith(("http://", "https://")) for url in found.urls.values()):
        raise ImproperlyConfigured(f"CUSTOS_WITNESSES={value!r}: each witness line ends with the URL where it answers")
    return value


def authorities() -> list[tuple[str, str]]:
    """URL and PEM file of each timestamp authority. Raises `ImproperlyConfigured`."""
    found = []
    for entry in filter(None, map(str.strip, text("CUSTOS_TSA", "").split(";"))):
        url, _, path = entry.partition(" ")
        if not url.startswith(("http://", "https://")) or not path:
            wanted = "write a URL, a space, and the PEM file with the authority's certificates"
            raise ImproperlyConfigured(f"CUSTOS_TSA={entry!r}: {wanted}; several are separated by semicolons")
        try:
            x509.load_pem_x509_certificates(Path(path.strip()).read_bytes())
        except (OSError, ValueError) as error:
            raise ImproperlyConfigured(
                f"CUSTOS_TSA={entry!r}: {error}; name a PEM file with its certificates"
            ) from error
        found.append((url, path.strip()))
    return found


def signer() -> list[str]:
    """The external signer's command, word by word, or nothing. Raises `ImproperlyConfigured`."""
    value = text("CUSTOS_SIGNER", "")
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"CUSTOS_SIGNER={value!r}: {error}; write a command as in a shell") from error
    if words and shutil.which(words[0]) is None:
        raise ImproperlyConfigured(f"CUSTOS_SIGNER={value!r}: {words[0]} is no program that can be started")
    return words


def broker(default: str) -> str:
    """Raises `ImproperlyConfigured` for a kind of broker that the project was not tried with."""
    value = text("CELERY_BROKER_URL", default)
    kind = value.partition("://")[0]
    if kind not in BROKERS or "://" not in value:
        raise ImproperlyConfigured(
            f"CELERY_BROKER_URL={value!r}: write one of {', '.join(k + '://' for k in BROKERS)}…"
        )
    return value


def home() -> Path:
    """The state folder."""
    return Path(text("CUSTOS_HOME", str(ROOT / "var"))).expanduser().resolve()


def conninfo(folder: Path) -> str:
    """The application's database as a libpq keyword string; the embedded one if nothing else is said."""
    given = text("DATABASE_URL", "")
    if not given:
        sockets = str(socket_folder(folder / "pg"))
        return make_conninfo(host=sockets, user=APPLICATION_ROLE, dbname=EMBEDDED_DATABASE)
    try:
        return make_conninfo(given)
    except ProgrammingError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL is not understood ({str(error).strip()}); write postgresql://user:password@host/name"
        ) from error


def database(info: str) -> dict[str, object]:
    """Django's settings for a libpq keyword string."""
    parts = conninfo_to_dict(info)
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    settings: dict[str, object] = {known[key]: str(value) for key, value in parts.items() if key in known}
    options = {key: value for key, value in parts.items() if key not in known}
    return {
        "ENGINE": "django_prometheus.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        **settings,
    }


def secret(path: Path) -> str:
    """The secret in a file of mode 0600, made once; under its name only when it is whole, however its maker ends."""
    try:
        _make_secret(path)
        value = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"CUSTOS_HOME: {error.filename or path} cannot be used ({error.strerror}); name a folder that you own"
        ) from error
    if not value:
        raise ImproperlyConfigured(f"the secret {path} is empty; remove the file, and it is made anew")
    return value


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # somebody else made it a moment ago: theirs stands
                os.link(file.name, path)
