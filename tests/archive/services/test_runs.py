"""Derivations are made once, attested, and told in words when they fail."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from archive import wiring
from archive.models import CustodyEvent, Run
from archive.services import access, bundles, execution, following, runs, sealing, sequencing
from archive.services.refusals import BadInput, NotAllowed
from evidence.attest.dsse import PublicKey, parse_envelope, verify_envelope
from tests.archive.services.conftest import LINE

pytestmark = pytest.mark.django_db


def test_a_log_is_read_analysed_and_attested_by_itself(hand_in) -> None:
    row = hand_in(LINE * 3 + b"other\n", names=["A.Example."])
    assert row.read_as == "parse.bind@2"
    parse, result = Run.objects.order_by("created")
    assert (parse.state, result.state, result.parameters) == ("succeeded", "succeeded", {"name": "a.example"})
    assert [item["value"] for item in following.result_of(result)["findings"]] == [3, 3]
    envelope = parse_envelope(b"".join(following.read_blob(result.statement)))
    keys = {s_key["keyid"]: s_key for s_key in json.loads(result.event.text)["detail"]["keys"]}
    signers = [PublicKey(key.algorithm, key.public) for key in wiring.key_periods("dsse")[-1].keys]
    assert {key.keyid for key in signers} == set(keys)
    verify_envelope(envelope, {key.keyid: key for key in signers})
    lines = [following.line_at(row.blob, item) for item in following.ranges_of(result, "client-1", 1, 5)]
    assert [(line.line, line.start, line.stop) for line in lines] == [
        (2, len(LINE), 2 * len(LINE)),
        (3, 2 * len(LINE), 3 * len(LINE)),
    ]
    assert lines[0].text == LINE.decode().rstrip()


def test_the_same_thing_is_not_computed_twice_in_two_cases(hand_in, monkeypatch) -> None:
    hand_in(LINE, names=["a.example"])
    bob = access.principal_of(access.ensure_user(user_name="bob"))
    computed: list[str] = []
    stored = execution.store_file
    monkeypatch.setattr(execution, "store_file", lambda path, run: computed.append(path.name) or stored(path, run))
    hand_in(LINE, who=bob, case="case-b", names=["a.example"])
    assert set(computed) == {"attestation.json"}
    ours, theirs = Run.objects.filter(procedure="querier_concentration@1").order_by("created")
    assert following.output(ours, "result.json") == following.output(theirs, "result.json")
    assert ours.event_id != theirs.event_id


def test_a_run_that_cannot_work_fails_in_words_and_leaves_nothing_half_visible(hand_in) -> None:
    row = hand_in(b"a,b,c\n1,2,3\n", reading={"columns": {"time": "x", "client": "b", "name": "c"}})
    run = Run.objects.get()
    assert run.state == "failed"
    assert "the header has no column ['x']" in run.problem
    assert not run.outputs.exists()
    assert row.state == "sealed"


def test_an_abandoned_run_is_taken_again_and_one_in_work_is_not(hand_in) -> None:
    row = hand_in(LINE, work=False)
    sealing.seal_submission(row.pk)
    run = Run.objects.get()
    assert runs.take_run(run.pk) is not None
    assert runs.take_run(run.pk) is None
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - dt.timedelta(seconds=1))
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 2)
    execution.execute_run(run.pk)
    assert CustodyEvent.objects.filter(type="creation").count() == 1


def test_a_run_that_ends_its_worker_each_time_is_given_up_in_words(hand_in) -> None:
    row = hand_in(LINE, work=False)
    sealing.seal_submission(row.pk)
    past = timezone.now() - dt.timedelta(seconds=1)
    Run.objects.update(attempts=runs.ATTEMPTS, state="running", lease=past)
    execution.execute_run(Run.objects.get().pk)
    assert "given up after 3 attempts" in Run.objects.get().problem


def planned(hand_in) -> Run:
    sealing.seal_submission(hand_in(LINE, work=False).pk)
    return Run.objects.get()


def test_a_worker_whose_lease_passed_cannot_fail_the_run_of_the_next(hand_in) -> None:
    first = runs.take_run(planned(hand_in).pk)
    Run.objects.update(lease=timezone.now() - dt.timedelta(seconds=1))
    second = runs.take_run(first.pk)
    runs.fail_run(run=first, problem="late")
    assert Run.objects.get().state == "running"
    runs.fail_run(run=second, problem="in time")
    assert (Run.objects.get().state, Run.objects.get().problem) == ("failed", "in time")


def past(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(lease=timezone.now() - dt.timedelta(seconds=1))


@pytest.mark.parametrize("file", ["table.parquet", "attestation.json"])
def test_a_full_disk_while_deriving_is_told_and_waited_for(hand_in, monkeypatch, file: str) -> None:
    run, stored = planned(hand_in), execution.store_file

    def full(path, run: Run):
        if path.name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return stored(path, run)

    with monkeypatch.context() as patched:
        patched.setattr(execution, "store_file", full)
        for _ in range(runs.ATTEMPTS + 2):
            execution.execute_run(run.pk)
            assert runs.take_run(run.pk) is None  # not at once again
            past(run)
    run.refresh_from_db()
    assert run.state == "pending"
    assert run.problem.startswith("not done yet, and tried again by itself: No space left on device in ")
    assert "make room" in run.problem
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("succeeded", "")


def test_a_store_that_is_away_costs_a_delay_and_not_a_result(file_store, hand_in, home) -> None:
    run = planned(hand_in)
    path = file_store / run.inputs.get().blob.place
    aside = path.rename(home / "aside")
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == "pending"
    assert "the store has no sha256/" in run.problem
    aside.rename(path)
    past(run)
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("succeeded", "")


def test_a_run_that_was_postponed_is_not_lost_to_the_one_who_had_it_before(hand_in) -> None:
    first = runs.take_run(planned(hand_in).pk)
    past(first)
    second = runs.take_run(first.pk)
    runs.postpone_run(run=second, problem="the disk is full")
    past(first)
    third = runs.take_run(first.pk)
    assert third.attempts == first.attempts
    runs.fail_run(run=first, problem="late")
    assert Run.objects.get().state == "running"


def test_a_bundle_holds_what_a_stranger_needs_at_one_checkpoint(hand_in) -> None:
    hand_in(LINE * 2, names=["a.example"])
    result = Run.objects.get(procedure="querier_concentration@1")
    parse = Run.objects.get(procedure="parse.bind@2")
    names = [item.name for item in bundles.items(result, raw=True)]
    asked, read = f"querier_concentration-{result.identity[:8]}", f"parse-{parse.identity[:8]}"
    source = f"source-{parse.inputs.get().blob_id[7:15]}"
    assert names == [
        f"{sequencing.latest_checkpoint().size}.checkpoint", f"{asked}.client-1.sources.ndjson",
        f"{asked}.lookups.sources.ndjson", f"{asked}.result.json", f"{asked}.result.attestation.json",
        f"{asked}.result.receipt.json", f"{read}.attestation.json", f"{read}.receipt.json",
        f"{source}.receipt.json", f"{source}.raw",
    ]  # fmt: skip


def test_a_run_that_failed_can_be_tried_again_by_a_member(ann, hand_in) -> None:
    hand_in(LINE)
    run = Run.objects.get(procedure="parse.bind@2")
    with pytest.raises(BadInput, match="only one that failed"):
        runs.retry_run(principal=ann, run=run)
    Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED, attempts=4, problem="given up")
    stranger = access.principal_of(access.ensure_user(user_name="mallory"))
    with pytest.raises(NotAllowed):
        runs.retry_run(principal=stranger, run=run)
    again = runs.retry_run(principal=ann, run=run)
    assert (again.state, again.attempts, again.problem) == ("pending", 0, "")


def test_bytes_that_were_read_before_are_asked_about_a_name_that_comes_with_them_again(hand_in) -> None:
    hand_in(LINE * 2)
    assert not Run.objects.filter(procedure="querier_concentration@1").exists()
    hand_in(LINE * 2, names=["a.example"])
    assert Run.objects.get(procedure="querier_concentration@1").state == "succeeded"


def test_of_two_readings_that_end_at_once_the_later_sees_both_tables(ann) -> None:
    case = access.ensure_case(principal=ann, reference="a")
    with CaptureQueriesContext(connection) as said:
        runs.plan_follow_ups(case=case)
    locks, reads = (
        [query["sql"] for query in said if word in query["sql"]] for word in ("NO KEY UPDATE", "archive_runoutput")
    )
    assert len(locks) == 1 and 'FROM "archive_case"' in locks[0]
    order = [query["sql"] for query in said]
    assert order.index(locks[0]) < order.index(reads[0])
