"""Strict reading: JSON without doubled members, base64 without slack (RFC 8259, RFC 4648 §4).

What was accepted in two ways could be signed in one and read in the other; so there is one way.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from typing import Any, NoReturn

from evidence.errors import FormatError

LARGEST = 2**53
"""Integers from here on are not exact in every reader of JSON (RFC 8259 §6)."""


def parse_object(text: bytes | str, where: str, *, as_written: bool = False) -> dict[str, Any]:
    """The JSON object in `text`; `where` names it in errors. Raises `FormatError`."""
    value = parse_value(text, where, as_written=as_written)
    if not isinstance(value, dict):
        raise FormatError(f"{where}: a JSON object is wanted, got {type(value).__name__}")
    return value


def parse_value(text: bytes | str, where: str, *, as_written: bool = False) -> Any:
    """The JSON value in `text`, in UTF-8 if it is bytes; `as_written`: numbers as their text. Raises `FormatError`."""
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return (_AS_WRITTEN if as_written else _STRICT).decode(decoded)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FormatError(f"{where}: not JSON: {error}") from error


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


def canonical_form(value: Any) -> bytes:
    """RFC 8785 of what a verifier meets: objects, lists, texts, integers, booleans and null.

    Raises `FormatError` for a fraction or a large integer, which no format of ours has and whose form is
    ECMAScript's own, and for a text that is none.
    """
    try:
        return _written(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(f"a text that is no Unicode: {error}") from error
    except RecursionError as error:
        raise FormatError("objects and lists stand too deep in one another") from error


def _written(value: Any) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{_written(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= LARGEST):
        raise FormatError(f"the number {value!r:.40}: integers below 2^53 are wanted")
    return json.dumps(value, ensure_ascii=False)


def refuse_other_form(text: bytes, value: Any, where: str) -> None:
    """Raises `FormatError` unless `text` is the one canonical form of `value`: what is hashed is what is read."""
    if text != canonical_form(value):
        raise FormatError(f"{where}: not in canonical form (RFC 8785)")


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = sorted(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"member stands twice: {twice[:5]}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_members_once, parse_constant=_no_constant)
_AS_WRITTEN = json.JSONDecoder(
    object_pairs_hook=_members_once, parse_constant=_no_constant, parse_int=str, parse_float=str
)
