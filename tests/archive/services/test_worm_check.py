"""A store that does not answer beside one that does: the one carries all, and the other is said."""

from __future__ import annotations

import base64
import io

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, Case, Pulse, Run, Submission
from archive.services import access, fixity, intake, sealing, worm_check
from archive.services.worm_check import AWAY
from archive.storage import s3
from archive.storage.store import StoreError, UnsafeStoreError
from tests.archive.services.conftest import LINE

pytestmark = [pytest.mark.django_db, pytest.mark.enable_socket]
NOBODY = "s3://custos/evidence?endpoint=http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def keys(monkeypatch) -> None:
    """Of S3, and little patience with it: that nobody listens is known at once."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setattr(s3, "_CONFIG", s3._QUICK)


@pytest.fixture
def use(settings):
    def stores(text: str) -> None:
        settings.CUSTOS_STORE = text
        wiring.store.cache_clear()

    return stores


@pytest.fixture
def one_away(use, tmp_path):
    use(f"file:{tmp_path / 'one'} {NOBODY}")
    return tmp_path / "one"


def begin(client, case: bytes = b"case-a"):
    said = f"case {base64.b64encode(case).decode()}"
    token, _ = access.create_token(user_name="ann", scopes=["upload", "read"])
    return client.post("/api/v1/uploads", headers={
        "Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0", "Upload-Length": "3", "Upload-Metadata": said,
    })  # fmt: skip


def test_it_is_tried_said_and_stops_nothing(one_away, client) -> None:
    assert begin(client).status_code == 201
    alarm = Alarm.objects.get(ended=None)
    assert (alarm.kind, alarm.subject) == (AWAY, "s3://custos/evidence")
    assert "cannot be reached" in alarm.text
    assert client.get("/readyz").json()["checks"]["store"] == "ok"


def test_what_comes_meanwhile_is_sealed_read_and_described(one_away, hand_in) -> None:
    row = hand_in(LINE, names=["a.example"])
    assert (row.state, row.read_as, row.problem) == ("sealed", "parse.bind@2", "")
    assert not row.blob.place.count(" ")
    assert (one_away / f"submissions/{row.pk}.txt").exists()
    assert not intake.staged_file(row.pk).exists()
    assert set(Run.objects.values_list("state", flat=True)) == {"succeeded"}
    assert Run.objects.filter(procedure="querier_concentration@1").exists()


def test_what_it_missed_it_is_given_by_fixity(one_away, use, tmp_path, hand_in) -> None:
    row = hand_in(b"abc")
    use(f"file:{one_away} file:{tmp_path / 'two'}")
    assert fixity.check_blob(row.blob, lambda _: None).state == "whole"
    (said,) = fixity.check_manifests(row.blob)
    assert said == f"the manifest submissions/{row.pk}.txt was missing in the store; it is written again"
    for kept in (row.blob.locator.removeprefix("1:"), f"submissions/{row.pk}.txt"):
        assert (tmp_path / "two" / kept).read_bytes() == (one_away / kept).read_bytes()
    assert fixity.check_manifests(row.blob) == []
    assert not Alarm.objects.filter(ended=None).exclude(subject="s3://custos/evidence").exists()


def test_a_manifest_that_was_changed_is_found_also_while_another_store_is_away(one_away, hand_in) -> None:
    row = hand_in(b"abc")
    manifest = one_away / f"submissions/{row.pk}.txt"
    manifest.chmod(0o644)
    manifest.write_bytes(b"changed")
    assert "was changed in the store" in fixity.check_manifests(row.blob)[0]
    assert Alarm.objects.filter(kind="manifest", ended=None).exists()


def test_a_store_that_goes_away_with_copies_in_it_stops_no_reading(use, tmp_path, hand_in) -> None:
    use(f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}")
    row = hand_in(LINE)
    assert row.blob.place.count(" ") == 1
    use(f"file:{tmp_path / 'one'} {NOBODY}")
    again = hand_in(LINE + LINE, names=["a.example"])
    assert again.read_as == "parse.bind@2"
    asked = Run.objects.filter(procedure="querier_concentration@1")
    assert set(asked.values_list("state", flat=True)) == {"succeeded"}


def test_a_case_that_asks_for_two_copies_waits_for_it(one_away, ann) -> None:
    case = access.ensure_case(principal=ann, reference="case-a")
    Case.objects.filter(pk=case.pk).update(copies=2)
    row = intake.begin_submission(principal=ann, case_reference="case-a", length=3)
    intake.append_bytes(principal=ann, submission_id=row.pk, offset=0, chunks=[b"abc"])
    with pytest.raises(StoreError, match="1 of 2 copies were made"):
        sealing.seal_submission(row.pk)
    row.refresh_from_db()
    assert (row.state, "tried again by itself" in row.problem) == (Submission.State.RECEIVED, True)


@pytest.mark.parametrize("look", [worm_check.try_stores, worm_check.look_for_those_away])
def test_the_alarm_of_a_store_that_is_no_longer_named_ends_unless_it_did_not_hold(one_away, use, look) -> None:
    worm_check.try_stores()
    subject = Alarm.objects.get(ended=None).subject
    Alarm.objects.create(kind=worm_check.KIND, subject=subject, text="the store lets one delete it")
    look()
    assert Alarm.objects.filter(ended=None).count() == 2
    use(f"file:{one_away}")
    look()
    assert Alarm.objects.get(ended=None).kind == worm_check.KIND


def test_the_command_passes_and_names_it(one_away) -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("check_worm", stdout=out, stderr=err)
    assert "held" in out.getvalue()
    assert err.getvalue().startswith("away          s3://custos/evidence: ")


def test_if_none_answers_nothing_is_taken_in(use, client) -> None:
    use(NOBODY)
    answer = begin(client)
    assert (answer.status_code, "see whether the store is up" in answer.json()["detail"]) == (503, True)
    assert not Pulse.objects.filter(name=worm_check._tried()).exists()
    with pytest.raises(CommandError, match="cannot be reached"):
        call_command("check_worm")


def test_a_store_that_does_not_hold_stops_all_also_while_it_is_away(one_away) -> None:
    Alarm.objects.create(kind=worm_check.KIND, subject="s3://custos/evidence", text="the store lets one delete it")
    with pytest.raises(UnsafeStoreError, match="delete it"):
        worm_check.ensure_stores_hold()
    assert Alarm.objects.filter(kind=worm_check.KIND, ended=None).exists()


def test_it_is_tried_again_before_long_and_the_alarm_ends_when_it_is_back(one_away, monkeypatch) -> None:
    worm_check.ensure_stores_hold()
    tried = Pulse.objects.get(name=worm_check._tried()).at
    worm_check.ensure_stores_hold()
    assert Pulse.objects.get(name=worm_check._tried()).at == tried
    Pulse.objects.update(at=timezone.now() - worm_check.AWAY_FOR)
    # What the bucket would answer that is back is in tests/contracts; here it is any store that holds.
    away, (present, _) = wiring.stores()[1], wiring.stores()
    monkeypatch.setattr(away, "prepare", lambda: None)
    monkeypatch.setattr(away, "challenge", present.challenge)
    worm_check.ensure_stores_hold()
    assert not Alarm.objects.filter(ended=None).exists()
