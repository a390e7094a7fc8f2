"""tus 1.0: what is asked, what is answered, and every wrong turn in words."""

from __future__ import annotations

import base64
import errno
import hashlib
import os

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from archive.models import Submission
from archive.services import access, intake, receiving, sealing

pytestmark = pytest.mark.django_db
TUS = {"HTTP_TUS_RESUMABLE": "1.0.0"}


def metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def begin(client, length: int = 6, *, brings: bytes | None = None, **about: str):
    said = metadata(**{"case": "case-a", "filename": "a.log", **about})
    body = {} if brings is None else {"data": brings, "content_type": "application/offset+octet-stream"}
    return client.post("/api/v1/uploads", **body, **TUS, HTTP_UPLOAD_LENGTH=str(length), HTTP_UPLOAD_METADATA=said)


def append(client, path: str, offset: int | str, data: bytes, **more):
    kind = more.pop("content_type", "application/offset+octet-stream")
    return client.patch(path, data, content_type=kind, **TUS, HTTP_UPLOAD_OFFSET=str(offset), **more)


def test_an_upload_in_two_parts_arrives_whole(ann) -> None:
    location = begin(ann)["Location"]
    assert append(ann, location, 0, b"abc")["Upload-Offset"] == "3"
    asked = ann.head(location, **TUS)
    assert (asked["Upload-Offset"], asked["Upload-Length"], asked["Cache-Control"]) == ("3", "6", "no-store")
    assert append(ann, location, 3, b"def").status_code == 204
    submission = location.rsplit("/", 1)[1]
    sealing.seal_submission(submission)
    row = ann.get(f"/api/v1/submissions/{submission}").json()
    assert (row["state"], row["digest"]) == ("sealed", f"sha256:{hashlib.sha256(b'abcdef').hexdigest()}")


def test_what_was_said_at_the_beginning_is_given_back_as_it_was_said_and_to_its_uploader_alone(ann, caller) -> None:
    said = f"{metadata(case='case-a', filename='ü.log')} , is_confidential, note aGFuZGVkIG92ZXI="
    begun = ann.post("/api/v1/uploads", **TUS, HTTP_UPLOAD_LENGTH="3", HTTP_UPLOAD_METADATA=said)
    location = begun["Location"]
    assert ann.head(location, **TUS)["Upload-Metadata"] == said
    append(ann, location, 0, b"abc")
    assert ann.head(location, **TUS)["Upload-Metadata"] == said
    row, others = Submission.objects.get(), [caller("mia", "upload", "read"), caller("eve", "upload", "audit")]
    access.add_member(principal=access.principal_of(row.user), case=row.case, user_name="mia")
    for other in others:
        answer = other.head(location, **TUS)
        assert (answer.status_code, "Upload-Metadata" in answer) == (404, False)


def test_an_upload_of_which_nothing_was_said_gives_nothing_back(ann) -> None:
    row = intake.begin_submission(
        principal=access.principal_of(access.ensure_user(user_name="ann")), case_reference="case-a", length=3
    )
    assert "Upload-Metadata" not in ann.head(f"/api/v1/uploads/{row.pk}", **TUS)


def test_a_client_that_knows_only_post_says_what_it_means(ann) -> None:
    location = begin(ann)["Location"]
    kind = "application/offset+octet-stream"
    means = {"HTTP_X_HTTP_METHOD_OVERRIDE": "PATCH", "HTTP_UPLOAD_OFFSET": "0"}
    answer = ann.post(location, b"abc", content_type=kind, **TUS, **means)
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "3")
    asked = ann.post(location, **TUS, HTTP_X_HTTP_METHOD_OVERRIDE="HEAD")
    assert (asked.status_code, asked["Upload-Offset"]) == (200, "3")
    assert ann.post(location, HTTP_X_HTTP_METHOD_OVERRIDE="OPTIONS")["Tus-Version"] == "1.0.0"
    problem(
        ann.patch(location, b"def", **TUS, HTTP_X_HTTP_METHOD_OVERRIDE="DELETE"),
        405,
        "DELETE does nothing here",
        "PATCH",
        "HEAD",
    )


def test_a_browsers_session_overrides_no_check_of_where_a_form_came_from(ann) -> None:
    """The check of the method's kind is made of the method that is meant."""
    location = begin(ann)["Location"]
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(Submission.objects.get().user)
    means = {"HTTP_X_HTTP_METHOD_OVERRIDE": "PATCH", "HTTP_UPLOAD_OFFSET": "0"}
    problem(browser.get(location, **TUS, **means), 403, "CSRF")
    assert Submission.objects.get().offset == 0


def test_what_the_server_can_is_told_without_a_token(client) -> None:
    answer = client.options("/api/v1/uploads")
    assert (answer.status_code, answer["Tus-Version"]) == (204, "1.0.0")
    assert answer["Tus-Extension"] == "creation,creation-with-upload"


def problem(answer, status: int, *words: str) -> None:
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert all(word in said["detail"] for word in words), said["detail"]


def test_an_offset_that_does_not_fit_is_refused_with_the_right_one(ann) -> None:
    location = begin(ann)["Location"]
    append(ann, location, 0, b"abc")
    problem(append(ann, location, 2, b"x"), 409, "continues at byte 3")
    problem(append(ann, location, "two", b"x"), 400, "Upload-Offset")


def test_wrong_turns_are_problems_in_words(ann, client, caller) -> None:
    location = begin(ann)["Location"]
    problem(ann.post("/api/v1/uploads", HTTP_UPLOAD_LENGTH="3"), 412, "Tus-Resumable")
    problem(append(ann, location, 0, b"x", content_type="text/plain"), 415, "offset+octet-stream")
    problem(append(ann, location, 0, b"x" * 7), 400, "more than the 6 bytes")
    problem(begin(ann, case="No Slug"), 400, "lower-case letters")
    problem(begin(ann, digest="abc"), 400, "digest")
    problem(begin(ann, reading="[1]"), 400, "JSON object")
    problem(ann.post("/api/v1/uploads", **TUS, HTTP_UPLOAD_LENGTH="x"), 400, "Upload-Length")
    bad = ann.post("/api/v1/uploads", **TUS, HTTP_UPLOAD_LENGTH="3", HTTP_UPLOAD_METADATA="case ???")
    problem(bad, 400, "base64")
    odd = ann.post("/api/v1/uploads", **TUS, HTTP_UPLOAD_LENGTH="3", HTTP_UPLOAD_METADATA="c\xe4se YQ==")
    problem(odd, 400, "ASCII")
    problem(client.post("/api/v1/uploads", **TUS, HTTP_UPLOAD_LENGTH="3"), 401, "sign in", "manage.py token")
    problem(begin(caller("rita", "read")), 403, "scope upload")
    problem(append(caller("bob", "upload"), location, 0, b"x"), 404, "no such upload")
    assert Submission.objects.count() == 1


@pytest.mark.parametrize("brought", [b"", b"abc", b"abcdef"])
def test_the_first_bytes_may_come_along_and_the_rest_follows(ann, brought: bytes) -> None:
    answer = begin(ann, brings=brought)
    assert (answer.status_code, answer["Upload-Offset"]) == (201, str(len(brought)))
    rest = b"abcdef"[len(brought) :]
    assert not rest or append(ann, answer["Location"], len(brought), rest).status_code == 204
    row = Submission.objects.get()
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert row.blob_id == f"sha256:{hashlib.sha256(b'abcdef').hexdigest()}"


def test_more_bytes_that_come_along_than_were_announced_begin_nothing(ann) -> None:
    problem(begin(ann, 2, brings=b"abc"), 400, "3 bytes come along", "2 bytes")
    assert not Submission.objects.exists()


def test_bytes_that_came_along_and_the_disk_did_not_take_can_be_sent_again(ann, monkeypatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    begin(ann)  # which tries the store
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        answer = begin(ann, 3, brings=b"abc")
        problem(append(ann, answer["Location"], 0, b"abc"), 503, "the disk did not take")
    assert (answer.status_code, answer["Upload-Offset"]) == (201, "0")
    assert append(ann, answer["Location"], 0, b"abc")["Upload-Offset"] == "3"


def test_an_upload_whose_first_bytes_met_a_fault_is_not_lost_to_whoever_began_it(ann, monkeypatch) -> None:
    def write(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(receiving.os, "write", write)
        answer = begin(ann, 3, brings=b"abc")
    assert (answer.status_code, answer["Upload-Offset"]) == (201, "0")
    assert append(ann, answer["Location"], 0, b"abc")["Upload-Offset"] == "3"


def test_a_small_file_is_taken_by_few_questions(ann) -> None:
    """Who asks, whether the stores hold, which case; the row, what arrived, that it is whole, who waits before it."""
    begin(ann)
    with CaptureQueriesContext(connection) as queries:
        assert begin(ann, 3, brings=b"abc")["Upload-Offset"] == "3"
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 7


def test_an_empty_file_is_taken_at_once(ann) -> None:
    answer = begin(ann, 0)
    assert (answer.status_code, answer["Upload-Offset"]) == (201, "0")
    assert Submission.objects.get().state == "received"
