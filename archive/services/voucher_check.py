"""What others signed over checkpoints, verified again as it was when it was kept: timestamps and cosignatures.

It is verified by those that the archive names now. What is by others (an authority or a witness that is named no
longer, or a key that a witness has no more) is looked at for its form only, and said as a notice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from archive import wiring
from archive.models import Cosignature, Timestamp
from evidence.errors import EvidenceError, FormatError
from evidence.log.checkpoint import parse_checkpoint, verify_signature
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy
from evidence.opening import Timestamp as Stamp
from evidence.verify.findings import Findings
from evidence.verify.timestamps import check_token
from evidence.verify.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.x509 import Certificate

    from evidence.log.note import Vkey

_AT_ONCE = 500
_MOST = 20  # others that are named


def looks(notices: list[str]) -> dict[str, Callable[[], Iterator[str]]]:
    return {"timestamps": lambda: _timestamps(notices), "cosignatures": lambda: _cosignatures(notices)}


def _timestamps(notices: list[str]) -> Iterator[str]:
    known = {each.url: each.certificates for each in wiring.authorities()}
    others: Counter[str] = Counter()
    for row in Timestamp.objects.select_related("checkpoint").order_by("pk").iterator(_AT_ONCE):
        if row.url not in known:
            others[row.url] += 1
        try:
            _refuse_token(row, known.get(row.url, ()))
        except EvidenceError as error:
            yield f"timestamp {row.pk} by {row.url} over checkpoint {row.checkpoint_id}: {error}"
    for url, count in others.most_common(_MOST):
        notices.append(
            f"{count} timestamps are by {url}, which CUSTOS_TSA does not name: who signed them was not verified"
        )


def _refuse_token(row: Timestamp, certificates: tuple[Certificate, ...]) -> None:
    """Raises `EvidenceError` for a token that does not hold, or not at the time that its row says."""
    over = parse_checkpoint(parse_note(row.checkpoint.note).text)
    findings = Findings()
    stamp = Stamp(row.authority, bytes(row.response), None, ())
    time = check_token(stamp, over, row.url, Trust(None, certificates), findings)
    wrong = next(findings.of("wrong"), None)
    if time is None or wrong is not None:
        raise FormatError(f"its token does not hold: {wrong.got if wrong else 'no time'}")
    if time != row.time:
        raise FormatError(f"its row says {row.time.isoformat()}, its token {time.isoformat()}")


def _cosignatures(notices: list[str]) -> Iterator[str]:
    witnesses = parse_policy(wiring.policy()).witnesses
    others: Counter[str] = Counter()
    for row in Cosignature.objects.select_related("checkpoint").order_by("pk").iterator(_AT_ONCE):
        try:
            if not _is_by(witnesses.get(row.witness), row):
                others[row.witness] += 1
        except EvidenceError as error:
            yield f"cosignature {row.pk} by {row.witness} over checkpoint {row.checkpoint_id}: {error}"
    for name, count in others.most_common(_MOST):
        notices.append(f"{count} cosignatures of {name} are by a key that CUSTOS_WITNESSES does not name: not verified")


def _is_by(vkey: Vkey | None, row: Cosignature) -> bool:
    """Whether the row's line is by this key. Raises `EvidenceError` for one that is no line, or does not hold."""
    note = parse_note(f"{parse_note(row.checkpoint.note).text}\n{row.line}")
    if [str(line) for line in note.signatures] != [row.line]:
        raise FormatError("it is not one signature line")
    (line,) = note.signatures
    if vkey is None or (line.name, line.keyid) != (vkey.name, vkey.keyid):
        return False
    verify_signature(note, line, vkey)
    return True
