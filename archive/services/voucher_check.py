"""What others signed over checkpoints, verified again as it was when it was kept: timestamps and cosignatures.

It is verified by those that the archive names now. What is by others (an authority or a witness that is named no
longer, or a certificate or key that one of them has no more) is looked at for its form only, and said as a notice.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_der_x509_certificate
from rfc3161_client import decode_timestamp_response

from archive import wiring
from archive.models import Cosignature, Timestamp
from evidence.errors import EvidenceError, FormatError
from evidence.log.checkpoint import parse_checkpoint, verify_signature
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy
from evidence.opening import Timestamp as Stamp
from evidence.verify.findings import Findings
from evidence.verify.timestamps import FOREIGN, check_token
from evidence.verify.trust import REFUSALS, Trust

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from cryptography.x509 import Certificate

    from evidence.log.note import Vkey

type Certificates = dict[str, tuple[Certificate, ...]]
"""By the URL of their authority."""

_AT_ONCE = 500
_MOST = 20  # others that are named


def looks(notices: list[str]) -> dict[str, Callable[[], Iterator[str]]]:
    """The settings are read here already: a file of theirs that is missing is nothing that a row did."""
    authorities = _read("timestamps", lambda: {x.url: x.certificates for x in wiring.authorities()}, notices)
    witnesses = _read("cosignatures", wiring.witnesses, notices)
    return {
        "timestamps": lambda: _timestamps(authorities, notices),
        "cosignatures": lambda: _cosignatures(are_known=witnesses is not None, notices=notices),
    }


def _read[T](signed: str, read: Callable[[], T], notices: list[str]) -> T | None:
    try:
        return read()
    except EvidenceError as error:
        notices.append(f"{error}, and call manage.py check_ledger again: who signed the {signed} was not verified")
        return None


def _timestamps(known: Certificates | None, notices: list[str]) -> Iterator[str]:
    strangers: Counter[str] = Counter()
    lacking: dict[str, list[dt.datetime]] = {}
    for row in Timestamp.objects.select_related("checkpoint").order_by("pk").iterator(_AT_ONCE):
        named = (known or {}).get(row.url)
        if named is None:
            strangers[row.url] += 1
        theirs = _theirs(named or (), bytes(row.response))
        if named and not theirs:
            lacking.setdefault(row.url, []).append(row.time)
        try:
            _refuse_token(row, theirs)
        except EvidenceError as error:
            yield f"timestamp {row.pk} by {row.url} over checkpoint {row.checkpoint_id}: {error}"
    for url, times in lacking.items():
        notices.append(
            f"{len(times)} timestamps by {url} until {max(times):%Y-%m-%d %H:%M} UTC are by a certificate that its PEM"
            " file in CUSTOS_TSA lacks: who signed them was not verified; add it there again (docs/timestamps.md)"
        )
    for url, count in strangers.most_common(_MOST) if known is not None else ():
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


def _theirs(certificates: tuple[Certificate, ...], token: bytes) -> tuple[Certificate, ...]:
    """Those that are the signer's of a token, or issued what it carries; all for what is no token.

    An authority gets a new certificate from time to time, often of the same name: nothing is wrong with a token of
    before where the new one alone is in its file, nor where both are.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            response = decode_timestamp_response(token)
            carried = [load_der_x509_certificate(each) for each in response.signed_data.certificates]
    except (*REFUSALS, *FOREIGN):
        return certificates
    time = response.tst_info.gen_time
    signers = {(signer.issuer, signer.serial_number) for signer in response.signed_data.signer_infos}
    return tuple(
        each
        for each in certificates
        if (each.issuer, each.serial_number) in signers
        or (each.not_valid_before_utc <= time <= each.not_valid_after_utc and any(_is_issued(x, each) for x in carried))
    )


def _is_issued(certificate: Certificate, by: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, *FOREIGN, ValueError):
        return False
    return True


def _cosignatures(*, are_known: bool, notices: list[str]) -> Iterator[str]:
    witnesses = parse_policy(wiring.policy()).witnesses if are_known else {}
    others: Counter[str] = Counter()
    for row in Cosignature.objects.select_related("checkpoint").order_by("pk").iterator(_AT_ONCE):
        try:
            if not _is_by(witnesses.get(row.witness), row):
                others[row.witness] += 1
        except EvidenceError as error:
            yield f"cosignature {row.pk} by {row.witness} over checkpoint {row.checkpoint_id}: {error}"
    for name, count in others.most_common(_MOST) if are_known else ():
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
