"""Strict reading: JSON without doubled members, base64 without slack (RFC 8259, RFC 4648 §4).

What was accepted in two ways could be signed in one and read in the other; so there is one way.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NoReturn

from evidence.errors import FormatError


def parse_object(text: bytes | str, where: str) -> dict[str, Any]:
    """The JSON object in `text`; `where` names it in errors. Raises `FormatError`."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        value = json.loads(decoded, object_pairs_hook=_members_once, parse_constant=_no_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FormatError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise FormatError(f"{where}: a JSON object is wanted, got {type(value).__name__}")
    return value


def members(value: dict[str, Any], wanted: dict[str, type | tuple[type, ...]], where: str) -> None:
    """Exactly the members `wanted`, each of its type. Raises `FormatError` naming the first that differs."""
    unknown, missing = value.keys() - wanted.keys(), wanted.keys() - value.keys()
    if unknown or missing:
        raise FormatError(f"{where}: unknown members {sorted(unknown)}, missing members {sorted(missing)}")
    for name, kind in wanted.items():
        if not isinstance(value[name], kind) or (isinstance(value[name], bool) and kind is int):
            raise FormatError(f"{where}: member {name!r} has the wrong type {type(value[name]).__name__}")


def b64(text: Any, where: str, length: int | None = None) -> bytes:
    """Bytes of strict base64: with padding, and the only encoding of these bytes."""
    if not isinstance(text, str):
        raise FormatError(f"{where}: base64 text is wanted, got {type(text).__name__}")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"{where}: not base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise FormatError(f"{where}: base64 with slack bits; there is one encoding of these bytes")
    if length is not None and len(data) != length:
        raise FormatError(f"{where}: {len(data)} bytes, wanted {length}")
    return data


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"member stands twice: {sorted({n for n in names if names.count(n) > 1})}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
