"""The parts this installation runs with: the only reader of Django's settings on this floor."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from django.conf import settings

import evidence
from archive.models.key import LOG, KeyVersion, Period, key_name, periods
from archive.signing import ALGORITHMS, CommandSigner, open_file
from archive.storage.replicated import ReplicatedStore
from archive.storage.s3 import S3Store
from archive.storage.store import BlobStore, Keeping, StoreError
from archive.storage.worm import FileStore
from evidence import keys
from evidence.digest import Digest
from evidence.errors import FormatError, LogError, SignatureError
from evidence.extraction import RATIO
from evidence.log.note import ED25519, ML_DSA_44, Vkey
from evidence.log.policy import NO_WITNESS, parse_policy, policy_text
from evidence.sandbox import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evidence.keys import Signer
    from evidence.log.policy import Policy

_LEAST_SECONDS, _LEAST_FILE = 300, 1 << 30
_LARGEST_GROWTH = RATIO  # an archive may hold so much more than its size
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@functools.cache
def store() -> BlobStore:
    """The stores that `CUSTOS_STORE` names, one or several behind one another. Raises `StoreError`."""
    words = re.split(r"\s+(?=file:|s3:)", str(settings.CUSTOS_STORE).strip())
    stores = [_store(text, alone=len(words) == 1) for text in words]
    return stores[0] if len(stores) == 1 else ReplicatedStore(stores)


def stores() -> tuple[BlobStore, ...]:
    """Each of them by itself."""
    found = store()
    return found.stores if isinstance(found, ReplicatedStore) else (found,)


def _store(text: str, *, alone: bool) -> BlobStore:
    address, _, query = text.partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    kind, _, place = address.partition(":")
    if kind == "file" and place and not set(asked) - {"immutable"}:
        return FileStore(Path(place), immutable=asked.get("immutable") == "1", linking=alone)
    if kind == "s3" and place.startswith("//") and not set(asked) - {"endpoint", "profile"}:
        bucket, _, prefix = place[2:].partition("/")
        return S3Store(bucket, prefix, staging(), **asked)
    raise StoreError(
        f"CUSTOS_STORE={text!r}: write file:/a/folder[?immutable=1] or s3://bucket/prefix[?endpoint=URL&profile=NAME], "
        "several with a space between them"
    )


def keeping(*, copies: int, until: dt.date | None, hold: bool) -> Keeping:
    """What a case asks for, with the installation's own retention as the least. The end is a day's, UTC."""
    least = (dt.datetime.now(dt.UTC) + dt.timedelta(days=int(settings.CUSTOS_RETENTION_DAYS))).date()
    end = max(least, until or least)
    return Keeping(copies, dt.datetime.combine(end, dt.time.max.replace(microsecond=0), dt.UTC), hold)


def prepare(part: BlobStore) -> None:
    """Make what a store needs before its first blob. Raises `StoreError`."""
    if isinstance(part, S3Store):
        part.prepare()


def fixity_schedule() -> tuple[dt.timedelta, int]:
    """Within what time every blob is looked at again, and how many bytes a second are read for it."""
    return dt.timedelta(days=int(settings.CUSTOS_FIXITY_DAYS)), int(settings.CUSTOS_FIXITY_MIB_S) << 20


def reader_limits(size: int) -> Limits:
    """What the process may use that reads a source of so many bytes."""
    memory = int(settings.CUSTOS_READER_MIB) << 20
    return Limits(memory, _LEAST_SECONDS + (size >> 18), _LEAST_FILE + size * _LARGEST_GROWTH)


def home() -> Path:
    return Path(settings.CUSTOS_HOME)


def staging() -> Path:
    """Where unfinished bytes lie: on the store's own volume, so that sealing is a link and not a copy."""
    folder = home() / "staging"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def keys_folder() -> Path:
    return home() / "keys"


@functools.cache
def origin() -> str:
    """The log's name, fixed when its keys were made."""
    return (keys_folder() / "origin").read_text().strip()


def wanted_origin() -> str:
    return str(settings.CUSTOS_ORIGIN)


def signer_command() -> tuple[str, ...]:
    """The external signer that new keys are asked of; empty where they are files."""
    return tuple(settings.CUSTOS_SIGNER)


def key_holder() -> KeyVersion.Holder:
    """Where keys are from now on."""
    return KeyVersion.Holder.COMMAND if signer_command() else KeyVersion.Holder.FILE


def signer(key: KeyVersion) -> Signer:
    """Whoever can sign with the key. Raises `SignatureError`, also where that is another key than the ledger says."""
    found = _signer(key.name, key.algorithm, key.holder)
    if found.public != bytes(key.public):
        raise SignatureError(
            f"the key {key.name} of the {key.holder} is another than the ledger has; put back the one with the id "
            f"{key.keyid}"
        )
    return found


@functools.cache
def _signer(name: str, algorithm: str, holder: str) -> Signer:
    if holder == KeyVersion.Holder.FILE:
        return open_file(keys_folder(), name, algorithm)
    if not signer_command():
        raise SignatureError(f"the key {name} is held by an external signer; name its command in CUSTOS_SIGNER")
    return CommandSigner(signer_command(), name, algorithm)


def new_key(purpose: str, algorithm: str, number: int, after: int) -> KeyVersion:
    """A key as its holder shows it, not yet in the ledger. Raises `SignatureError`."""
    public = _signer(key_name(purpose, algorithm, number), algorithm, key_holder()).public
    return KeyVersion(
        purpose=purpose, number=number, algorithm=algorithm, public=public, keyid=keys.keyid(public),
        holder=key_holder(), after=after,
    )  # fmt: skip


def key_periods(purpose: str) -> list[Period]:
    """All keys of a purpose by time; the first count from the log's beginning, also before they are introduced."""
    return periods(purpose) or [Period(1, 0, None, tuple(new_key(purpose, name, 1, 0) for name in ALGORITHMS))]


def period_to_come() -> Period:
    """The log keys after those in force, where they are made already. Raises `SignatureError`."""
    last = key_periods(LOG)[-1]
    keys_to_come = [new_key(LOG, name, last.number + 1, last.after) for name in ALGORITHMS]
    return Period(last.number + 1, last.after, None, tuple(keys_to_come))


def period_of(size: int, purpose: str = LOG) -> Period:
    """The keys for a checkpoint of that size. Raises `LogError`."""
    for period in key_periods(purpose):
        if period.holds(size):
            return period
    raise LogError(f"no {purpose} key was ever in force at size {size}; run manage.py check_ledger")


def policy(size: int | None = None) -> str:
    """What the archive claims its log keys and witnesses are, now or at a size, as a tlog-policy.

    Raises `FormatError`.
    """
    return policy_of(key_periods(LOG)[-1] if size is None else period_of(size))


def log_policy(period: Period) -> Policy:
    """By which a checkpoint of the period is known for the log's own: its keys alone, whoever is to cosign."""
    return parse_policy(log_lines(period.keys) + NO_WITNESS)


def log_lines(log_keys: Iterable[KeyVersion]) -> str:
    """The lines of a policy that trust these keys of the log."""
    types = {keys.ED25519: ED25519, keys.ML_DSA_44: ML_DSA_44}
    return policy_text([Vkey(origin(), types[key.algorithm], bytes(key.public)) for key in log_keys], "")


def policy_of(period: Period) -> str:
    """The same for a period. Raises `FormatError`."""
    text = log_lines(period.keys) + (witnesses() or NO_WITNESS)
    try:
        parse_policy(text)
    except FormatError as error:
        raise FormatError(f"CUSTOS_WITNESSES={settings.CUSTOS_WITNESSES}: {error}") from error
    return text


@dataclass(frozen=True, slots=True)
class Authority:
    """A timestamp authority: where it answers, and the certificates by which its tokens are verified."""

    url: str
    pem: str
    certificates: tuple[x509.Certificate, ...]


def authorities() -> list[Authority]:
    """Those that `CUSTOS_TSA` names. Raises `FormatError`."""
    found = []
    for url, path in settings.CUSTOS_TSA:
        pem = _named_file("CUSTOS_TSA", path)
        try:
            certificates = tuple(x509.load_pem_x509_certificates(pem.encode()))
        except ValueError as error:
            said = f"CUSTOS_TSA names the file {path}, which holds no certificates ({error}); put them back"
            raise FormatError(said) from error
        found.append(Authority(url, pem, certificates))
    return found


def tsa_period() -> dt.timedelta:
    return dt.timedelta(minutes=int(settings.CUSTOS_TSA_MINUTES))


@functools.cache
def witnesses() -> str:
    """The witness, group and quorum lines of the file that `CUSTOS_WITNESSES` names; empty without one.

    Raises `FormatError`.
    """
    return _named_file("CUSTOS_WITNESSES", settings.CUSTOS_WITNESSES) if settings.CUSTOS_WITNESSES else ""


def _named_file(setting: str, path: str) -> str:
    """The text of a file that a setting names: it could be read at the start. Raises `FormatError`."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FormatError(f"{setting} names the file {path}, which cannot be read ({reason}); put it back") from error


def public_url() -> str:
    return str(settings.CUSTOS_PUBLIC_URL)


def is_for_this_machine() -> bool:
    """Whether people reach the service from the machine it runs on alone."""
    return urlsplit(public_url()).hostname in LOOPBACK


def software() -> str:
    return str(settings.CUSTOS_SOFTWARE)


@functools.cache
def code_digest() -> Digest:
    """Digest of the code that decides: every module of `evidence`, by path and content."""
    root = Path(evidence.__path__[0])
    state = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        state.update(f"{path.relative_to(root).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return Digest(state.hexdigest())
