"""Values that neither a database nor a number can hold are refused in words, and nothing breaks."""

from __future__ import annotations

import base64

import pytest

from archive.models import Run

pytestmark = pytest.mark.django_db
LARGE = "9" * 5000


def test_odd_addresses_are_answered_in_words(filled, ann) -> None:
    parse = Run.objects.get(procedure="parse.bind@2").pk
    for address, status in (
        ("/api/v1/submissions?case=%00", 400), ("/api/v1/submissions?state=a%00", 400), ("/api/v1/results?case=%00", 400),
        (f"/api/v1/runs/{parse}/outputs/%00", 404), (f"/api/v1/submissions?limit={LARGE[:30]}", 200),
        (f"/api/v1/submissions?limit=1&offset={LARGE[:30]}", 200), (f"/api/v1/submissions/{filled.pk}/receipt?size=%00", 400),
    ):  # fmt: skip
        assert ann.get(address).status_code == status, address
    for asked in (f"bytes=0-{LARGE}", f"bytes={LARGE}-"):
        answer = ann.get(f"/api/v1/submissions/{filled.pk}/content", headers={"Range": asked})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "reading",
    [
        '{"kind":"\\u0000"}',
        '{"kind":"\\ud800"}',
        '{"kind":NaN}',
        '{"columns":[1]}',
        '{"columns":{"time":5}}',
        "[" * 5000,
    ],
)
def test_a_reading_that_cannot_be_kept_is_refused(ann, reading: str) -> None:
    said = ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in {"case": "a", "reading": reading}.items()
    )
    answer = ann.post("/api/v1/uploads", HTTP_TUS_RESUMABLE="1.0.0", HTTP_UPLOAD_LENGTH="3", HTTP_UPLOAD_METADATA=said)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_json_that_is_nested_without_end_is_refused(ann) -> None:
    answer = ann.post("/api/v1/cases", "[" * 200_000, content_type="application/json")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_wrong_method_or_version_is_told_without_riddles(ann) -> None:
    answer = ann.delete("/api/v1/cases")
    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
    assert "DELETE" in answer.json()["detail"]
    assert ann.post("/api/v1/uploads")["Tus-Resumable"] == "1.0.0"
