"""Witnesses: others who cosign each checkpoint only if it continues the one they cosigned before (C2SP tlog-witness).

They are asked after a checkpoint is committed, outside of any transaction; each line is verified before it is kept. A
witness that is away is asked again; one that is ahead of the database stops the signing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import httpx
from django.db import IntegrityError, transaction

from archive import wiring
from archive.models import Checkpoint, Cosignature
from archive.services import publication
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.sequencing import latest_checkpoint, subtree_root
from evidence.errors import EvidenceError, LogError, SignatureError
from evidence.log.checkpoint import parse_checkpoint, verify_signature
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.log.proof import consistency_proof
from evidence.log.witness import SIZE_TYPE, Answer, Request

if TYPE_CHECKING:
    from evidence.log.note import Vkey

AWAY = "witness"
"""Alarms about one witness, by its URL."""
_TIMEOUT = 5.0
_RECENT = 5  # cosigned checkpoints that are looked at for the newest with a quorum
_ANSWER_LIMIT = 1 << 16


def cosigned(checkpoint: Checkpoint) -> str:
    """The note with all cosignatures that are there."""
    return checkpoint.note + "".join(checkpoint.cosignatures.values_list("line", flat=True))


def has_quorum(checkpoint: Checkpoint) -> bool:
    """Whether the witnesses that the archive names have cosigned as its own policy asks."""
    return not problems(parse_policy(wiring.policy(checkpoint.size)), parse_note(cosigned(checkpoint)))


def newest_to_show() -> Checkpoint | None:
    """The newest checkpoint that has its quorum, where one is asked for; else simply the newest."""
    newest = latest_checkpoint()
    if newest is None or not quorum_is_asked():
        return newest
    recent = Checkpoint.objects.filter(cosignatures__isnull=False).distinct().order_by("-size")[:_RECENT]
    return next((checkpoint for checkpoint in recent if has_quorum(checkpoint)), newest)


def quorum_is_asked() -> bool:
    return parse_policy(wiring.policy()).quorum is not None


def cosign_newest() -> int:
    """Ask every witness that has not cosigned the newest checkpoint; how many lines were added."""
    newest = latest_checkpoint()
    if newest is None:
        return 0
    known = set(newest.cosignatures.values_list("witness", flat=True))
    added = 0
    for url, keys in _by_url().items():
        if set(keys) <= known:
            continue
        try:
            added += _ask(url, keys, newest)
        except publication.AheadError as error:
            raise_alarm(kind=publication.AHEAD, subject=url, text=str(error))
        except (EvidenceError, httpx.HTTPError) as error:
            raise_alarm(kind=AWAY, subject=url, text=f"{error!s:.300}; it is asked again")
        else:
            end_alarm(kind=AWAY, subject=url)
            end_alarm(kind=publication.AHEAD, subject=url)
    return added


def refuse_if_a_witness_is_ahead() -> list[str]:
    """Compare with what each witness cosigned last; those that could not be asked. Raises `LogError`."""
    silent = []
    for url, keys in _by_url().items():
        try:
            text = _last_of(url)
        except (httpx.HTTPError, LogError) as error:
            silent.append(f"{url}: {error!s:.300}")
            continue
        if text is None:
            continue
        note = parse_note(text)
        if not any(_line_of(keys[name], text) for name in keys):
            raise LogError(f"the witness {url} shows a checkpoint without its own signature")
        seen = parse_checkpoint(note.text)
        publication.refuse_other_history(seen, f"the witness {url}", lambda size: subtree_root(0, size))
    return silent


def _by_url() -> dict[str, dict[str, Vkey]]:
    policy = parse_policy(wiring.policy())
    found: dict[str, dict[str, Vkey]] = {}
    for name, url in policy.urls.items():
        found.setdefault(url.rstrip("/"), {})[name] = policy.witnesses[name]
    return found


def _last_of(url: str) -> str | None:
    name = hashlib.sha256(wiring.origin().encode()).hexdigest()
    status, _kind, body = _exchange("GET", f"{url}/{name}/checkpoint", b"")
    if status == Answer.UNKNOWN_LOG:
        return None
    if status != Answer.COSIGN:
        raise LogError(f"answered {status}: {body[:200]}")
    return body


def _ask(url: str, keys: dict[str, Vkey], checkpoint: Checkpoint) -> int:
    """Raises `AheadError`, `EvidenceError` or `httpx.HTTPError`."""
    last = Cosignature.objects.filter(witness__in=keys).order_by("-checkpoint__size").first()
    status, kind, body = _post(url, checkpoint, last.checkpoint_id if last else 0)
    if (status, kind) == (Answer.OTHER_SIZE, SIZE_TYPE):
        status, kind, body = _post(url, checkpoint, _size(body, url, checkpoint))
    if status != Answer.COSIGN:
        raise LogError(f"the witness answered {status}: {body[:200].strip()}")
    return _keep(keys, checkpoint, body)


def _size(body: str, url: str, checkpoint: Checkpoint) -> int:
    text = body.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise LogError(f"the witness names its size as {text[:40]!r}")
    if int(text) > checkpoint.size:
        what = f"the witness {url} has size {text}, the database's last has {checkpoint.size}: it is ahead."
        raise publication.AheadError(f"{what} {publication.RECOVERY}")
    return int(text)


def _post(url: str, checkpoint: Checkpoint, old: int) -> tuple[int, str, str]:
    hashes = tuple(consistency_proof(old, checkpoint.size, subtree_root))
    request = Request(old, hashes, checkpoint.note)
    return _exchange("POST", f"{url}/add-checkpoint", str(request).encode())


def _exchange(method: str, url: str, body: bytes) -> tuple[int, str, str]:
    """Status, content type and text of an answer that is not larger than answers are."""
    with (
        httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client,
        client.stream(method, url, content=body or None) as answer,
    ):
        read = b""
        for piece in answer.iter_bytes():
            read += piece
            if len(read) > _ANSWER_LIMIT:
                raise LogError(f"{url} answers without end")
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return answer.status_code, kind, read.decode("utf-8", "replace")


def _keep(keys: dict[str, Vkey], checkpoint: Checkpoint, lines: str) -> int:
    """Verify and keep the line of each of the witness's keys. Raises `SignatureError` if one is wanting."""
    text = f"{parse_note(checkpoint.note).text}\n{lines}"
    kept = 0
    for name, vkey in keys.items():
        line = _line_of(vkey, text)
        if line is None:
            raise SignatureError(f"the witness sent no signature by its key {name}")
        try:
            with transaction.atomic():
                Cosignature.objects.create(checkpoint=checkpoint, witness=name, line=line)
                kept += 1
        except IntegrityError:
            continue  # another worker was sooner
    return kept


def _line_of(vkey: Vkey, text: str) -> str | None:
    """The signature line by this key; verified. Raises `EvidenceError` if it does not hold."""
    note = parse_note(text)
    for line in note.signatures:
        if (line.name, line.keyid) == (vkey.name, vkey.keyid):
            verify_signature(note, line, vkey)
            return str(line)
    return None
