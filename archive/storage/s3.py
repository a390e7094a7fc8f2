"""S3 with Object Lock: every blob is a locked version whose id is pinned, read back and hashed before it counts.

Nothing rests on what stores are known to ignore (If-None-Match, checksums on PutObject): what was written is read
again, and a newer version or a delete marker over a blob changes nothing, because reads name the version.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from archive.storage.store import (
    PIECE,
    WHOLE,
    Challenge,
    Copy,
    Keeping,
    MissingBlobError,
    Stat,
    StoreError,
    digest_at,
    examine_copy,
    hash_segment,
    mend_single,
    place_of,
    refuse_more_copies,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from mypy_boto3_s3 import S3Client

    from evidence.digest import Digest

_PART = 16 << 20
_PARTS = 10_000
_CONFIG = Config(
    retries={"max_attempts": 4, "mode": "standard"}, connect_timeout=5, read_timeout=30, signature_version="s3v4",
    request_checksum_calculation="when_required", response_checksum_validation="when_required",
    s3={"addressing_style": "path"},
)  # fmt: skip
_QUICK = _CONFIG.merge(Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1}))
"""For whoever only asks whether the store is there."""
_NO_LOCKS = {"InvalidRequest", "InvalidBucketState", "NotImplemented", "ObjectLockConfigurationNotFoundError"}
_ABSENT = {"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed"}
_DAY = dt.timedelta(days=1)


class S3Store:
    """A prefix of a bucket that was made with Object Lock. `scratch` is a folder for files that are being read."""

    def __init__(
        self, bucket: str, prefix: str, scratch: Path, *, endpoint: str | None = None, profile: str | None = None
    ) -> None:
        self._bucket, self._prefix, self._scratch = bucket, prefix.strip("/"), scratch
        session = boto3.Session(profile_name=profile)
        self._client: S3Client = session.client("s3", endpoint_url=endpoint, config=_CONFIG)
        self._asking: S3Client = session.client("s3", endpoint_url=endpoint, config=_QUICK)

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def _key(self, place: str) -> str:
        return f"{self._prefix}/{place}" if self._prefix else place

    def put(self, source: Path, digest: Digest, keeping: Keeping) -> str:
        refuse_more_copies(self, keeping)
        with self._said(f"keep {digest}"):
            return self._whole_version(place_of(digest), keeping) or self._upload(source, digest, keeping)

    def _whole_version(self, place: str, keeping: Keeping) -> str | None:
        """A version that an earlier attempt left, if its bytes are right; locked for as long as is asked."""
        for version in self._versions(self._key(place)):
            locator = f"{place}?versionId={version}"
            if examine_copy(self, locator, lambda _: None).state == WHOLE:
                self._extend(locator, keeping)
                return locator
        return None

    def _versions(self, key: str) -> list[str]:
        answer = self._client.list_object_versions(Bucket=self._bucket, Prefix=key, MaxKeys=100)
        return [item["VersionId"] for item in answer.get("Versions", ()) if item["Key"] == key]

    def _upload(self, source: Path, digest: Digest, keeping: Keeping) -> str:
        place = place_of(digest)
        size = source.stat().st_size
        part = max(_PART, -(-size // _PARTS))
        self._client.upload_file(
            str(source), self._bucket, self._key(place), ExtraArgs=_lock(keeping),
            Config=TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=4),
        )  # fmt: skip
        newest = self._client.head_object(Bucket=self._bucket, Key=self._key(place)).get("VersionId")
        if not newest or newest == "null":
            raise StoreError(f"{self.name} keeps no versions; make the bucket anew with Object Lock")
        locator = f"{place}?versionId={newest}"
        copy = examine_copy(self, locator, lambda _: None)
        if copy.state != WHOLE:
            raise StoreError(f"{self.name} gave back other bytes than it was given for {digest}: {copy.said}")
        self._extend(locator, keeping)
        return locator

    def _extend(self, locator: str, keeping: Keeping) -> None:
        """As `protect`, but a hold that another case asked for is never lifted by bytes that come again."""
        self.protect(locator, dataclasses.replace(keeping, hold=keeping.hold or self.stat(locator).hold))

    def _pinned(self, locator: str) -> dict[str, str]:
        place, _, version = locator.partition("?versionId=")
        if not version:
            raise StoreError(f"{locator} names no version; it does not belong to {self.name}")
        return {"Bucket": self._bucket, "Key": self._key(place), "VersionId": version}

    def open_range(self, locator: str, start: int, stop: int) -> Iterator[bytes]:
        if start >= stop:
            return iter(())
        with self._said(f"read {locator}"):
            answer = self._client.get_object(**cast("Any", self._pinned(locator)), Range=f"bytes={start}-{stop - 1}")
        if not answer.get("ContentRange", "").startswith(f"bytes {start}-{stop - 1}/"):
            answer["Body"].close()
            wanted, said = f"bytes {start}-{stop - 1} of {locator}", answer.get("ContentRange", "no Content-Range")
            raise StoreError(f"{self.name} was asked for {wanted} and gave others ({said})")
        return _Body(answer["Body"], stop - start, lambda: self._said(f"read {locator}"))

    def stat(self, locator: str) -> Stat:
        with self._said(f"look at {locator}"):
            found: dict[str, Any] = dict(self._client.head_object(**cast("Any", self._pinned(locator))))
        mode, until = found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")
        hold = found.get("ObjectLockLegalHoldStatus") == "ON"
        words = f"{mode} until {until.isoformat()}" if until is not None else "not locked"
        return Stat(found["ContentLength"], words + (", legal hold" if hold else ""), until, hold)

    def listing(self) -> Iterator[str]:
        skip = len(self._prefix) + 1 if self._prefix else 0
        with self._said("list the store"):
            pages = self._client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._key("sha256/")):
                for item in page.get("Versions", ()):
                    yield f"{item['Key'][skip:]}?versionId={item['VersionId']}"

    def protect(self, locator: str, keeping: Keeping) -> None:
        refuse_more_copies(self, keeping)
        now = self.stat(locator)
        pinned = cast("Any", self._pinned(locator))
        with self._said(f"lock {locator}"):
            if keeping.until and (now.until is None or now.until < keeping.until - dt.timedelta(seconds=1)):
                retention: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": keeping.until}
                self._client.put_object_retention(**pinned, Retention=retention)
            if keeping.hold != now.hold:
                status: Any = {"Status": "ON" if keeping.hold else "OFF"}
                self._client.put_object_legal_hold(**pinned, LegalHold=status)

    def describe(self, name: str, text: bytes) -> None:
        if self._is_shown(name):
            return
        with self._said(f"write {name}"):
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=text)
        if self.described(name) != [text]:
            raise StoreError(f"{self.name} does not show {name} as it was just written")

    def _is_shown(self, name: str) -> bool:
        """Whether people find something there; versions below a delete marker are not what they find."""
        try:
            with self._said(f"look for {name}"):
                self._client.head_object(Bucket=self._bucket, Key=self._key(name))
        except MissingBlobError:
            return False
        return True

    def described(self, name: str) -> list[bytes | None]:
        """The newest version: the one that people see who do not ask for another."""
        try:
            with self._said(f"read {name}"):
                return [self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()]
        except MissingBlobError:
            return [None]

    def examine(self, locator: str, on_piece: Callable[[int], None]) -> list[Copy]:
        return [examine_copy(self, locator, on_piece)]

    def segment(self, locator: str, start: int, stop: int | None, on_piece: Callable[[int], None]) -> list[Digest]:
        return [hash_segment(self, locator, start, stop, on_piece)]

    def replace(self, source: Path, locator: str, keeping: Keeping) -> str:
        refuse_more_copies(self, keeping)
        with self._said(f"mend {locator}"):
            return self._upload(source, digest_at(locator), keeping)

    def mend(self, locator: str, keeping: Keeping) -> str:
        return mend_single(self, locator, keeping)

    @contextlib.contextmanager
    def local_path(self, locator: str) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(dir=self._scratch, prefix="s3-") as file:
            for piece in self.open_range(locator, 0, self.stat(locator).size):
                file.write(piece)
            file.flush()
            yield Path(file.name)

    def probe(self) -> None:
        with self._said("be reached"):
            self._asking.head_bucket(Bucket=self._bucket)

    def prepare(self) -> None:
        """Make the bucket, with Object Lock, if there is none. Raises `StoreError`."""
        try:
            with self._said("be reached", unless=ClientError):
                self._client.head_bucket(Bucket=self._bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT | {"NoSuchBucket"}:
                raise StoreError(f"{self.name} cannot be used: {error}") from error
            with self._said("make the bucket"):
                self._client.create_bucket(Bucket=self._bucket, ObjectLockEnabledForBucket=True)

    def challenge(self) -> list[Challenge]:
        key, data = self._key(f"check/{secrets.token_hex(8)}"), secrets.token_bytes(32)
        at: Any = {"Bucket": self._bucket, "Key": key}
        until = dt.datetime.now(dt.UTC) + _DAY
        first = self._locked_object(at, data, until)
        if isinstance(first, Challenge):
            return [first]
        sooner: Any = {"Mode": "COMPLIANCE", "RetainUntilDate": until - _DAY / 2}
        found = [
            self._refused("delete the locked version", lambda: self._client.delete_object(**at, VersionId=first)),
            self._refused(
                "delete it past governance",
                lambda: self._client.delete_object(**at, VersionId=first, BypassGovernanceRetention=True),
            ),
            self._refused(
                "shorten its retention",
                lambda: self._client.put_object_retention(**at, VersionId=first, Retention=sooner),
            ),
        ]
        for attempt, act in (
            ("overwrite it", lambda: self._client.put_object(**at, Body=data[::-1])),
            ("shadow it with a delete marker", lambda: self._client.delete_object(**at)),
        ):
            with contextlib.suppress(ClientError), self._said("be tried", unless=ClientError):
                act()
            found.append(self._still(attempt, at, first, data))
        return [*found, self._end_broken_off()]

    def _end_broken_off(self) -> Challenge:
        """Only said: whether evidence is safe does not depend on it, and the user may lack the right to it."""
        attempt = "leave the parts of uploads that broke off"
        try:
            with self._said("be tidied", unless=ClientError):
                ended = self.end_broken_off_uploads(dt.datetime.now(dt.UTC) - _DAY)
        except ClientError as error:
            said = f"{error.response['Error']['Code']}; let this user list and abort multipart uploads"
            return Challenge(self.name, attempt, held=False, said=said, binding=False)
        return Challenge(self.name, attempt, held=True, said=f"{ended} were ended", binding=False)

    def end_broken_off_uploads(self, silent_since: dt.datetime) -> int:
        """End the uploads of blobs of which no part came since then; how many. What they hold is no evidence yet."""
        pages = self._client.get_paginator("list_multipart_uploads")
        ended = 0
        for page in pages.paginate(Bucket=self._bucket, Prefix=self._key("sha256/")):
            for upload in page.get("Uploads", ()):
                at: Any = {"Bucket": self._bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
                with contextlib.suppress(self._client.exceptions.NoSuchUpload):  # it came to its end by itself
                    if self._last_part(at, upload["Initiated"]) <= silent_since:
                        self._client.abort_multipart_upload(**at)
                        ended += 1
        return ended

    def _last_part(self, at: Any, begun: dt.datetime) -> dt.datetime:
        """When the last one came: a large file on a slow line may take more than a day."""
        pages = self._client.get_paginator("list_parts").paginate(**at)
        return max((part["LastModified"] for page in pages for part in page.get("Parts", ())), default=begun)

    def _locked_object(self, at: Any, data: bytes, until: dt.datetime) -> str | Challenge:
        """The version of an object to be tried; in a bucket that takes no locks, that it does not."""
        said = "the bucket keeps no versions"
        try:
            with self._said("be tried", unless=ClientError):
                answer = self._client.put_object(**at, Body=data, **cast("Any", _lock(Keeping(until=until))))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in _NO_LOCKS:
                raise StoreError(f"{self.name} cannot be tried: {code}; see whether the bucket is yours") from error
            said = f"{code}; make the bucket anew with Object Lock"
        else:
            if answer.get("VersionId", "null") != "null":
                return answer["VersionId"]
        return Challenge(self.name, "keep an object without a lock", held=False, said=said)

    def _refused(self, attempt: str, act: Callable[[], object]) -> Challenge:
        try:
            with self._said("be tried", unless=ClientError):
                act()
        except ClientError as error:
            return Challenge(self.name, attempt, held=True, said=error.response["Error"]["Code"])
        return Challenge(self.name, attempt, held=False, said="the store let it happen; it must not hold evidence")

    def _still(self, attempt: str, at: Any, version: str, data: bytes) -> Challenge:
        try:
            with self._said("be tried", unless=ClientError):
                held = self._client.get_object(**at, VersionId=version)["Body"].read() == data
        except ClientError as error:
            return Challenge(self.name, attempt, held=False, said=error.response["Error"]["Code"])
        return Challenge(self.name, attempt, held=held, said="the pinned version stands" if held else "other bytes")

    @contextlib.contextmanager
    def _said(self, act: str, unless: type[Exception] | tuple[()] = ()) -> Iterator[None]:
        """What S3 answers, in words."""
        try:
            yield
        except unless:
            raise
        except ClientError as error:
            code = str(error.response["Error"].get("Code", "unknown"))
            text = error.response["Error"].get("Message", "")
            if code in _ABSENT:
                raise MissingBlobError(f"{self.name} cannot {act}: it is not there ({code})") from error
            raise StoreError(f"{self.name} cannot {act}: {code} {text}") from error
        except (BotoCoreError, OSError, boto3.exceptions.Boto3Error) as error:
            raise StoreError(f"{self.name} cannot {act}: {error}; see whether the store is up") from error


def _lock(keeping: Keeping) -> dict[str, Any]:
    if keeping.until is None:
        return {}
    return {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": keeping.until}


class _Body:
    """An answer's bytes in pieces. The first is read at once: then a small answer's connection is free."""

    def __init__(self, body: Any, wanted: int, said: Callable[[], AbstractContextManager[None]]) -> None:
        self._body, self._wanted, self._got, self._said = body, wanted, 0, said
        self._first = self._read()

    def _read(self) -> bytes:
        with self._said():
            piece: bytes = self._body.read(min(PIECE, self._wanted - self._got))
        self._got += len(piece)
        if not piece and self._got < self._wanted:
            raise StoreError(f"the store sent {self._got} of {self._wanted} bytes; ask again")
        return piece

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece, self._first = self._first, b""
        if not piece and self._got < self._wanted:
            piece = self._read()
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """What is not wanted any more is not fetched; called by whoever streams it."""
        self._body.close()
