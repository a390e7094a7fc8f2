"""RFC 3161 tokens over the note text of a checkpoint (trust-formats §4).

`rfc3161_client` verifies the signature, the authority's certificate at the time of the token, its purpose, and the
imprint. A token also carries bytes that no signature covers (versions, an algorithm's name, copies of certificates);
those are compared here, so that none of them can be changed to say something else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import warnings
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from rfc3161_client import TimeStampResponse, VerifierBuilder, decode_timestamp_response
from rfc3161_client.errors import VerificationError

from evidence.errors import FormatError
from evidence.log.proof import verify_consistency
from evidence.verify.checkpoints import check_note
from evidence.verify.der import elements, inside
from evidence.verify.trust import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evidence.log.checkpoint import Checkpoint
    from evidence.log.policy import Policy
    from evidence.opening import Timestamp
    from evidence.verify.checkpoints import History
    from evidence.verify.findings import Findings
    from evidence.verify.trust import Trust

CLOCKS_APART = dt.timedelta(minutes=5)
"""The archive's clock and an authority's may differ by so much."""
SHA256 = "2.16.840.1.101.3.4.2.1"
SIGNED_DATA = (1, 1, 0)
SIGNATURE_ALGORITHM = (*SIGNED_DATA, -1, 0, 4, 0)
"""ContentInfo, [0], SignedData; its last member signerInfos, the first of them, signatureAlgorithm, its identifier."""
FOREIGN = (VerificationError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, TypeError)
"""What the libraries raise beside ValueError for a token or certificate that is none."""
DIGEST_ALGORITHM = (*SIGNED_DATA, -1, 0, 2, 0)
ISSUER = (*SIGNED_DATA, -1, 0, 1, 0)
"""The signer's issuer and serial number, and the first of these."""
DIGESTS = {bytes.fromhex(f"60864801650304020{last}"): name for last, name in ((1, "256"), (2, "384"), (3, "512"))}
ALGORITHMS = {
    bytes.fromhex("2a864886f70d010101"): "",  # rsaEncryption, with whichever digest
    bytes.fromhex("2a864886f70d01010a"): "",  # RSASSA-PSS, which names its digest in its parameters
    bytes.fromhex("2a864886f70d01010b"): "256",  # sha256WithRSAEncryption
    bytes.fromhex("2a864886f70d01010c"): "384",
    bytes.fromhex("2a864886f70d01010d"): "512",
    bytes.fromhex("2a8648ce3d040302"): "256",  # ecdsa-with-SHA256
    bytes.fromhex("2a8648ce3d040303"): "384",
    bytes.fromhex("2a8648ce3d040304"): "512",
    bytes.fromhex("2b6570"): "",  # Ed25519
}
"""Signature algorithms, and the digest with which each goes."""


def check_timestamps(
    stamps: Iterable[Timestamp],
    checkpoint: Checkpoint,
    event_time: str,
    where: str,
    trust: Trust,
    hints: list[Policy],
    history: History,
    findings: Findings,
) -> None:
    """All tokens of a receipt; none at all, or nobody to trust for them, is said."""
    stamps = tuple(stamps)
    if not stamps:
        findings.unchecked("timestamp-absent", where, "no timestamp: when this existed rests on the archive's word")
    for stamp in stamps:
        at = f"{where} timestamp by {stamp.authority}"
        over = checkpoint
        if stamp.later_checkpoint is not None:
            later = check_note(stamp.later_checkpoint, at, trust, hints, history, findings)
            if later is None or not _follows(later, checkpoint, stamp, at, findings):
                continue
            history.see(later, at, findings)
            history.tie(checkpoint, later)
            over = later
        time = check_token(stamp, over, at, trust, findings)
        if time is not None and dt.datetime.fromisoformat(event_time) > time + CLOCKS_APART:
            message = "the event says that it came to be after a timestamp over it"
            findings.wrong("timestamp", at, message, got=event_time, wanted=f"at most {time.isoformat()}")


def _follows(later: Checkpoint, earlier: Checkpoint, stamp: Timestamp, at: str, findings: Findings) -> bool:
    try:
        if later.origin != earlier.origin:
            raise FormatError(f"the later checkpoint is of {later.origin}, wanted {earlier.origin}")
        verify_consistency(earlier.size, later.size, earlier.root, later.root, stamp.later_hashes)
    except REFUSALS as error:
        message = "the later checkpoint does not follow the receipt's"
        findings.wrong("checkpoint-consistency", at, message, got=str(error), wanted="a consistency proof that holds")
        return False
    return True


def check_token(stamp: Timestamp, over: Checkpoint, at: str, trust: Trust, findings: Findings) -> dt.datetime | None:
    """One token over the note text of a checkpoint; its time if it holds."""
    message = over.text.encode()
    try:
        with warnings.catch_warnings():
            # An odd serial number is the verifier's to judge, not the terminal's to show.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            response = decode_timestamp_response(stamp.response)
            _check_frame(response, stamp.response, message)
            if trust.authorities:
                _check_authority(response, message, stamp, trust.authorities)
    except (*REFUSALS, *FOREIGN) as error:
        wanted = f"a token over the checkpoint at size {over.size}"
        findings.wrong("timestamp", at, "the token does not hold", got=str(error), wanted=wanted)
        return None
    time = response.tst_info.gen_time
    if trust.authorities:
        findings.ok("timestamp", at, f"the checkpoint at size {over.size} existed at {time.isoformat()}")
    else:
        text = f"says {time.isoformat()}, but no certificate of an authority was given to check it with"
        findings.unchecked("timestamp-authority", at, text, wanted="--tsa PEM")
    return time


def _check_frame(response: TimeStampResponse, raw: bytes, message: bytes) -> None:
    """What can be said of a token without trusting anybody."""
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != SHA256 or imprint.message != hashlib.sha256(message).digest():
        raise FormatError("the token is over other data")
    signers = list(response.signed_data.signer_infos)
    if response.signed_data.version != 3 or len(signers) != 1 or signers[0].version != 1:  # RFC 5652 §5.1, §5.3
        raise FormatError("the token is not a version 3 SignedData with one version 1 signer")
    digest, algorithm = (inside(raw, (0, *path)) for path in (DIGEST_ALGORITHM, SIGNATURE_ALGORITHM))
    if len(elements(raw)) != 1 or algorithm not in ALGORITHMS or digest not in DIGESTS:
        raise FormatError("the token's signature or digest algorithm is not one that is known here")
    if ALGORITHMS[algorithm] not in ("", DIGESTS[digest]):
        raise FormatError("the token's signature algorithm goes with another digest than it names")


def _check_authority(
    response: TimeStampResponse, message: bytes, stamp: Timestamp, authorities: tuple[x509.Certificate, ...]
) -> None:
    _verify(response, message, authorities)
    embedded = [x509.load_der_x509_certificate(raw) for raw in response.signed_data.certificates]
    for raw, certificate in zip(response.signed_data.certificates, embedded, strict=True):
        bound = hashlib.sha256(raw).digest() in stamp.response  # ESSCertIDv2 of the signed attributes (RFC 5035)
        if not bound and certificate not in authorities and not _is_issued(certificate, (*authorities, *embedded)):
            raise FormatError("a certificate in the token is neither one of yours nor issued by one")
    _check_name(response, stamp, (*embedded, *authorities))


def _verify(response: TimeStampResponse, message: bytes, roots: tuple[x509.Certificate, ...]) -> None:
    """By all of them, or else by one alone: of two that signed themselves under one name all may stand for the other.

    Raises `VerificationError`.
    """
    try:
        VerifierBuilder(roots=list(roots)).build().verify_message(response, message)
    except VerificationError:
        if len(roots) == 1 or not any(_is_verified(response, message, each) for each in roots):
            raise


def _is_verified(response: TimeStampResponse, message: bytes, root: x509.Certificate) -> bool:
    try:
        _verify(response, message, (root,))
    except VerificationError:
        return False
    return True


def _is_issued(certificate: x509.Certificate, issuers: Iterable[x509.Certificate]) -> bool:
    return any(_issued_by(certificate, issuer) for issuer in issuers)


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _check_name(response: TimeStampResponse, stamp: Timestamp, certificates: Iterable[x509.Certificate]) -> None:
    (signer,) = response.signed_data.signer_infos
    issuer = inside(stamp.response, (0, *ISSUER))
    for certificate in certificates:
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            names = {name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
            names.add(certificate.subject.rfc4514_string())
            if stamp.authority not in names:
                said = f"{stamp.authority!r}, its certificate {sorted(map(str, names))}"
                raise FormatError(f"the receipt calls the authority {said}")
            if issuer != inside(certificate.issuer.public_bytes(), (0,)):
                raise FormatError("the signer's issuer is written in another way than in its certificate")
            return
    raise FormatError("the signer's certificate is not at hand")
