"""Opening what was committed: events, their commitments and sealed members, receipts (trust-formats §2, §5).

The reading side only; `custody` and `receipt` write. Nothing here needs more than the standard library.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from evidence.digest import Digest
from evidence.errors import CustodyError, FormatError
from evidence.strictjson import LARGEST, b64, members, parse_object, parse_value, refuse_other_form

EVENT_FORMAT = "custos/event@1"
RECEIPT_FORMAT = "custos/receipt@1"
EVENT_LIMIT = 65_536
KEY_INTRODUCTION, KEY_ROTATION, KEY_REVOCATION = KEY_EVENTS = ("key introduction", "key rotation", "key revocation")
"""Types of the events that tell of the archive's own keys (§9)."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_LEAST_SALT = 22
"""Characters of base64url that hold 128 bits (RFC 9901 §4.2.1)."""
_OUTCOMES = ("success", "warning", "failure")
_AGENTS = ("person", "software", "organization")
_EVENT_MEMBERS: dict[str, type | tuple[type, ...]] = {
    "format": str, "id": str, "case": str, "type": str, "time": str, "agent": dict, "objects": list,
    "outcome": str, "detail": dict, "software": str, "_sd": list,
}  # fmt: skip
_RECEIPT_MEMBERS: dict[str, type | tuple[type, ...]] = {
    "format": str, "event": str, "salt": str, "proof": str, "timestamps": list, "disclosures": list, "policy": str,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EventObject:
    """A blob that an event speaks of."""

    digest: Digest
    size: int
    role: str


@dataclass(frozen=True, slots=True)
class Event:
    """A PREMIS event as it was committed."""

    id: str
    case: str
    type: str
    time: str
    agent_kind: str
    agent_id: str
    objects: tuple[EventObject, ...]
    outcome: str
    detail: dict[str, Any]
    software: str
    sealed: tuple[str, ...]

    @property
    def members(self) -> frozenset[str]:
        """Names that no sealed member may have."""
        return frozenset({*_EVENT_MEMBERS, *self.detail})


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An RFC 3161 response over a checkpoint's note text; `later` says how that checkpoint follows the proof's."""

    authority: str
    response: bytes
    later_checkpoint: str | None
    later_hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt; `event_text` and `proof` are the exact texts."""

    event_text: str
    salt: bytes
    proof: str
    timestamps: tuple[Timestamp, ...]
    disclosures: tuple[str, ...]
    policy: str


def commitment(salt: bytes, event: bytes) -> bytes:
    """The 32 bytes that the ledger holds for an event (trust-formats §2)."""
    return hashlib.sha256(b"custos-event-v1\n" + salt + event).digest()


def parse_event(text: str | bytes) -> Event:
    """The event in `text`. Raises `FormatError` or `CustodyError`."""
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > EVENT_LIMIT:
        raise CustodyError(f"event of {len(raw)} bytes, at most {EVENT_LIMIT} are allowed")
    value = parse_object(raw, "event")
    refuse_other_form(raw, value, "event")
    members(value, _EVENT_MEMBERS, "event")
    if value["format"] != EVENT_FORMAT:
        raise FormatError(f"event: unknown format {value['format']!r}, wanted {EVENT_FORMAT!r}")
    agent = value["agent"]
    members(agent, {"kind": str, "id": str}, "event agent")
    if agent["kind"] not in _AGENTS or value["outcome"] not in _OUTCOMES:
        raise CustodyError(f"event {value['id']}: agent kind or outcome is not one that the format knows")
    if not _UUID7.fullmatch(value["id"]) or not _is_time(value["time"]):
        raise CustodyError(f"event {value['id']}: a UUIDv7 and a time of RFC 3339 with milliseconds are wanted")
    sealed = value["_sd"]
    if not all(isinstance(item, str) for item in sealed) or sealed != sorted(set(sealed)):
        raise CustodyError(f"event {value['id']}: _sd is not a sorted list of digests")
    return Event(
        id=value["id"], case=value["case"], type=value["type"], time=value["time"],
        agent_kind=agent["kind"], agent_id=agent["id"], outcome=value["outcome"], detail=value["detail"],
        objects=tuple(_event_object(item) for item in value["objects"]),
        software=value["software"], sealed=tuple(sealed),
    )  # fmt: skip


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.fullmatch(text) and dt.datetime.fromisoformat(text))
    except ValueError:
        return False


def _event_object(item: Any) -> EventObject:
    if not isinstance(item, dict):
        raise FormatError("event objects: an object is wanted")
    members(item, {"digest": str, "size": int, "role": str}, "event object")
    if not 0 <= item["size"] < LARGEST:
        raise FormatError(f"event object {item['role']!r}: a size of {item['size']} bytes")
    return EventObject(Digest.parse(item["digest"]), item["size"], item["role"])


def parse_receipt(data: bytes) -> Receipt:
    """A receipt, strictly. Raises `FormatError`; what it says is not yet checked."""
    value = parse_object(data, "receipt")
    members(value, _RECEIPT_MEMBERS, "receipt")
    if value["format"] != RECEIPT_FORMAT:
        raise FormatError(f"receipt: unknown format {value['format']!r}, wanted {RECEIPT_FORMAT!r}")
    if not all(isinstance(item, str) for item in value["disclosures"]):
        raise FormatError("receipt: disclosures are texts")
    return Receipt(
        event_text=value["event"],
        salt=b64(value["salt"], "receipt salt", 32),
        proof=value["proof"],
        timestamps=tuple(_timestamp(item) for item in value["timestamps"]),
        disclosures=tuple(value["disclosures"]),
        policy=value["policy"],
    )


def _timestamp(item: Any) -> Timestamp:
    if not isinstance(item, dict):
        raise FormatError("receipt timestamp: an object is wanted")
    later = item.get("later")
    members({k: v for k, v in item.items() if k != "later"}, {"authority": str, "response": str}, "timestamp")
    response = b64(item["response"], "timestamp response")
    if later is None and "later" not in item:
        return Timestamp(item["authority"], response, None, ())
    if not isinstance(later, dict):
        raise FormatError("timestamp: later is an object")
    members(later, {"checkpoint": str, "hashes": list}, "timestamp later")
    hashes = tuple(b64(text, "consistency hash", 32) for text in later["hashes"])
    return Timestamp(item["authority"], response, later["checkpoint"], hashes)


def disclosure_digest(disclosure: str) -> str:
    """The digest that stands in `_sd` for a disclosure (RFC 9901 §4.2)."""
    return _b64url(hashlib.sha256(disclosure.encode("ascii", "replace")).digest())


def open_disclosure(disclosure: str) -> tuple[str, Any]:
    """Name and value behind a disclosure. Raises `FormatError`."""
    try:
        raw = base64.urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4))
    except ValueError as error:
        raise FormatError(f"disclosure: not base64url: {error}") from error
    value = parse_value(raw, "disclosure")
    if _b64url(raw) != disclosure or not isinstance(value, list) or len(value) != 3:
        raise FormatError("disclosure: [salt, name, value] in base64url without padding is wanted")
    salt, name, content = value
    if not isinstance(salt, str) or len(salt) < _LEAST_SALT or not isinstance(name, str):
        raise FormatError(f"disclosure: a salt of at least {_LEAST_SALT} characters and a name are wanted")
    return name, content


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
