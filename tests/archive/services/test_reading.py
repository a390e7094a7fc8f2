"""That sealed bytes were read is told in every case that has them, also of what was taken out of archives."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile

import pytest

from archive.models import Case, CustodyEvent, Run, RunOutput
from archive.services import access, reading, tables
from archive.services.refusals import NotVisible
from tests.archive.services.conftest import LINE

pytestmark = pytest.mark.django_db


def zipped(data: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("q.log", data)
    return made.getvalue()


def tarred(data: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo("q.log")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


def told(digest: str) -> list[dict]:
    found = CustodyEvent.objects.filter(type="access", objects_named__digest=digest).order_by("time", "id")
    return [json.loads(event.text) for event in found]


@pytest.mark.parametrize("packed", [zipped, tarred, gzip.compress])
def test_reading_a_member_of_an_archive_is_in_its_custody(packed, hand_in, ann) -> None:
    row = hand_in(packed(LINE))
    member = RunOutput.objects.get(name__startswith="member-").blob
    parse = Run.objects.get(procedure__startswith="parse.")
    assert tables.source_of(parse) == member
    reading.note_access(principal=ann, blob=member)
    (event,) = told(member.digest)
    assert event["agent"] == {"kind": "person", "id": str(ann.user.pk)}
    assert (event["case"], event["objects"][0]["role"]) == (str(row.case_id), "read")


def test_it_is_told_in_each_case_that_one_sees_and_in_no_other(hand_in, ann) -> None:
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    for who, case in ((ann, "case-a"), (ann, "case-b"), (bob, "case-c")):
        hand_in(zipped(LINE), who=who, case=case)
    member = RunOutput.objects.filter(name__startswith="member-")[0].blob
    reading.note_access(principal=ann, blob=member)
    own = Case.objects.filter(slug__in=("case-a", "case-b"))
    assert {event["case"] for event in told(member.digest)} == {str(case.pk) for case in own}


def test_bytes_that_no_case_of_ones_own_names_are_not_read(hand_in) -> None:
    row = hand_in(zipped(LINE))
    eve = access.principal_of(access.ensure_user(user_name="eve"))
    for blob in (row.blob, RunOutput.objects.get(name__startswith="member-").blob):
        with pytest.raises(NotVisible):
            reading.note_access(principal=eve, blob=blob)
        assert told(blob.digest) == []


def test_rows_of_a_table_are_a_reading_of_its_source(hand_in, ann) -> None:
    hand_in(zipped(LINE))
    parse = Run.objects.get(procedure__startswith="parse.")
    source = tables.source_of(parse)
    assert tables.rows_of(principal=ann, run=parse, offset=99, limit=1) == []
    assert told(source.digest) == []
    assert len(tables.rows_of(principal=ann, run=parse, offset=0, limit=10)) == 1
    assert len(told(source.digest)) == 1
