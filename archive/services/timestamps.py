"""Timestamps: RFC 3161 tokens over the note text of checkpoints, by every configured authority (trust-formats §4).

One a period where something was added. A token is verified as a stranger will verify it before it is kept. An
authority that fails is left alone for a minute, then for longer and longer, and holds up no other.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.db import transaction
from django.utils import timezone
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

from archive import wiring
from archive.models import Checkpoint, Timestamp
from archive.services.alarms import end_alarm, end_alarms_of_others, raise_alarm
from archive.services.asking import Call, converse
from archive.services.pauses import Pauses
from archive.services.rounds import one_at_a_time
from archive.services.witnessing import newest_to_show
from evidence.errors import EvidenceError, FormatError, LogError
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from evidence.opening import Timestamp as Stamp
from evidence.verify.findings import Findings
from evidence.verify.timestamps import check_token
from evidence.verify.trust import Trust

if TYPE_CHECKING:
    from archive.services.asking import Reply, Talk
    from archive.wiring import Authority

KIND = "timestamp"
LATE = dt.timedelta(hours=1)
_PAUSES = Pauses(KIND, first=dt.timedelta(minutes=1), longest=dt.timedelta(minutes=10))
_LOCK = 0x74737461  # one round at a time, in the whole database
_WITHIN = 15.0  # seconds for a token
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


def stamp_due() -> int:
    """Ask each authority whose turn it is; how many tokens were added."""
    with one_at_a_time(_LOCK) as free:
        return _stamp_due() if free else 0


def _stamp_due() -> int:
    named = {each.url: each for each in wiring.authorities()}
    end_alarms_of_others(kinds=[KIND], subjects=named)
    newest = newest_to_show()
    if newest is None:
        return 0
    left_alone = _PAUSES.under_way(named)
    due = {url: each for url, each in named.items() if url not in left_alone and _is_due(_last(url), newest)}
    outcomes = converse({url: _stamp(authority, newest) for url, authority in due.items()})
    for url, outcome in outcomes.items():
        if isinstance(outcome, EvidenceError):
            _PAUSES.begin(url)
            _say_late(url, _last(url), f"{outcome!s:.300}")
        else:
            _PAUSES.forget(url)
            end_alarm(kind=KIND, subject=url)
    return sum(outcome for outcome in outcomes.values() if isinstance(outcome, int))


def _last(url: str) -> Timestamp | None:
    return Timestamp.objects.filter(url=url).order_by("-checkpoint__size").first()


def _is_due(last: Timestamp | None, newest: Checkpoint) -> bool:
    """Whether something was added and the period is over; also if the clock was set back since."""
    if last is None:
        return True
    waited = timezone.now() - last.kept
    return last.checkpoint_id < newest.size and not dt.timedelta(0) <= waited < wiring.tsa_period()


def _say_late(url: str, last: Timestamp | None, text: str) -> None:
    """An alarm once the oldest checkpoint without a token has waited longer than is promised."""
    waiting = Checkpoint.objects.filter(size__gt=last.checkpoint_id if last else 0).order_by("size").first()
    if waiting is not None and timezone.now() - waiting.signed > LATE:
        since = f"no token since {waiting.signed:%Y-%m-%d %H:%M} UTC"
        raise_alarm(kind=KIND, subject=url, text=f"{since}: {text}")


def _stamp(authority: Authority, checkpoint: Checkpoint) -> Talk:
    """Keep a token, verified; 1. Raises `FormatError`, `LogError`."""
    text = parse_note(checkpoint.note).text
    request = (
        TimestampRequestBuilder().data(text.encode()).hash_algorithm(HashAlgorithm.SHA256).nonce(nonce=True)
        .cert_request(cert_request=True).build()
    )  # fmt: skip
    reply = yield Call("POST", authority.url, request.as_bytes(), _QUERY, _WITHIN)
    name, time = _checked(reply, request.nonce, checkpoint, authority)
    with transaction.atomic():
        Timestamp.objects.create(
            checkpoint=checkpoint, url=authority.url, authority=name, response=reply.content, time=time
        )
    return 1


def _checked(reply: Reply, asked: int | None, checkpoint: Checkpoint, authority: Authority) -> tuple[str, dt.datetime]:
    """Name of the authority and time of its token, as a stranger will verify it. Raises `FormatError`, `LogError`."""
    if (reply.status, reply.kind) != (200, _REPLY):
        got = f"{reply.status} with {reply.kind or 'no content type'}"
        raise LogError(f"{authority.url} answered {got}, wanted 200 and {_REPLY}")
    raw = reply.content
    try:
        response = decode_timestamp_response(raw)
        nonce = response.tst_info.nonce
    except (ValueError, TypeError) as error:
        raise FormatError(f"{authority.url} sent no token: {error!s:.200}") from error
    if nonce != asked:
        raise FormatError(f"{authority.url} answered another request: the nonce is {nonce}")
    name = _name(raw, authority)
    findings = Findings()
    stamp = Stamp(name, raw, None, ())
    over = parse_checkpoint(parse_note(checkpoint.note).text)
    time = check_token(stamp, over, authority.url, Trust(None, authority.certificates), findings)
    wrong = next(findings.of("wrong"), None)
    if time is None or wrong is not None:
        raise FormatError(f"{authority.url} sent a token that does not hold: {wrong.got if wrong else 'no time'}")
    return name, time


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
