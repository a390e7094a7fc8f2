"""Timestamps: RFC 3161 tokens over the note text of checkpoints, by every configured authority (trust-formats §4).

One a period where something was added. A token is verified as a stranger will verify it before it is kept. An
authority that fails is asked again at the next tick and holds up no other.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import httpx
from cryptography import x509
from cryptography.x509.oid import NameOID
from django.db import transaction
from django.utils import timezone
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from archive import wiring
from archive.models import Checkpoint, Timestamp
from archive.services.alarms import end_alarm, raise_alarm
from archive.services.rounds import one_at_a_time
from archive.services.witnessing import newest_to_show
from evidence.errors import FormatError, LogError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from evidence.opening import Timestamp as Stamp
from evidence.verify.findings import Findings
from evidence.verify.timestamps import check_token
from evidence.verify.trust import Trust

if TYPE_CHECKING:
    from archive.wiring import Authority

KIND = "timestamp"
LATE = dt.timedelta(hours=1)
_LOCK = 0x74737461  # one round at a time, in the whole database
_TIMEOUT = 15.0
_ANSWER_LIMIT = 1 << 16
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


def stamp_due() -> int:
    """Ask each authority whose turn it is; how many tokens were added."""
    with one_at_a_time(_LOCK) as free:
        return sum(_stamp(authority) for authority in wiring.authorities()) if free else 0


def _stamp(authority: Authority) -> int:
    newest = newest_to_show()
    last = Timestamp.objects.filter(url=authority.url).order_by("-checkpoint__size").first()
    if newest is None or (last is not None and not _is_due(last, newest)):
        return 0
    try:
        name, time, response = _token(authority, newest)
    except (httpx.HTTPError, FormatError, LogError) as error:
        _say_late(authority, last, f"{error!s:.300}")
        return 0
    with transaction.atomic():
        Timestamp.objects.create(checkpoint=newest, url=authority.url, authority=name, response=response, time=time)
    end_alarm(kind=KIND, subject=authority.url)
    return 1


def _is_due(last: Timestamp, newest: Checkpoint) -> bool:
    return last.checkpoint_id < newest.size and timezone.now() - last.kept >= wiring.tsa_period()


def _say_late(authority: Authority, last: Timestamp | None, text: str) -> None:
    """An alarm once the oldest checkpoint without a token has waited longer than is promised."""
    waiting = Checkpoint.objects.filter(size__gt=last.checkpoint_id if last else 0).order_by("size").first()
    if waiting is not None and timezone.now() - waiting.signed > LATE:
        since = f"no token since {waiting.signed:%Y-%m-%d %H:%M} UTC"
        raise_alarm(kind=KIND, subject=authority.url, text=f"{since}: {text}")


def _token(authority: Authority, checkpoint: Checkpoint) -> tuple[str, dt.datetime, bytes]:
    """Name of the authority, time, and the response, verified. Raises `FormatError`, `LogError`, `httpx.HTTPError`."""
    text = parse_note(checkpoint.note).text
    request = (
        TimestampRequestBuilder().data(text.encode()).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True)
        .cert_request(cert_request=True).build()
    )  # fmt: skip
    raw = _post(authority.url, request.as_bytes())
    try:
        response = decode_timestamp_response(raw)
        nonce = response.tst_info.nonce
    except (ValueError, TypeError) as error:
        raise FormatError(f"{authority.url} sent no token: {error!s:.200}") from error
    if nonce != request.nonce:
        raise FormatError(f"{authority.url} answered another request: the nonce is {nonce}")
    name = _name(raw, authority)
    findings = Findings()
    stamp = Stamp(name, raw, None, ())
    time = check_token(stamp, parse_checkpoint(text), authority.url, Trust(None, authority.certificates), findings)
    wrong = next(findings.of("wrong"), None)
    if time is None or wrong is not None:
        raise FormatError(f"{authority.url} sent a token that does not hold: {wrong.got if wrong else 'no time'}")
    return name, time, raw


def _name(raw: bytes, authority: Authority) -> str:
    """The authority as its certificate calls it: the common name, or else the whole subject."""
    signed = decode_timestamp_response(raw).signed_data
    embedded = [x509.load_der_x509_certificate(each) for each in signed.certificates]
    for signer in signed.signer_infos:
        for certificate in (*embedded, *authority.certificates):
            if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
                names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
                return str(names[0].value) if names else certificate.subject.rfc4514_string()
    raise FormatError(f"{authority.url}: the signer's certificate is neither in the token nor in the PEM file")


def _post(url: str, body: bytes) -> bytes:
    with (
        httpx.Client(timeout=_TIMEOUT, follow_redirects=False) as client,
        client.stream("POST", url, content=body, headers={"Content-Type": _QUERY}) as answer,
    ):
        read = b""
        for piece in answer.iter_bytes():
            read += piece
            if len(read) > _ANSWER_LIMIT:
                raise LogError(f"{url} answers without end")
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if answer.status_code != 200 or kind != _REPLY:
        raise LogError(f"{url} answered {answer.status_code} with {kind or 'no content type'}, wanted 200 and {_REPLY}")
    return read
