"""Rows of runs, outputs, statements and unit trees that were changed: each named."""

from __future__ import annotations

import pytest

from archive.models import Blob, Case, PendingTree, Run, RunInput, RunOutput, UnitTree
from archive.services import run_check, unit_trees
from tests.archive.services.conftest import LINE
from tests.tampering import tamper

pytestmark = pytest.mark.django_db


def problems() -> list[str]:
    return [said for look in run_check.LOOKS.values() for said in look()]


@pytest.fixture
def result(hand_in) -> Run:
    """What was made of a log in two cases, with their unit trees; the run of the first that answered."""
    for case in ("case-a", "case-b"):
        hand_in(LINE * 3, case=case, names=["a.example"])
        for pending in PendingTree.objects.all():
            unit_trees.plant_tree(pending.pk)
    return Run.objects.get(case__slug="case-a", procedure="querier_concentration@1")


def test_what_nobody_changed_fits(result: Run) -> None:
    assert (Run.objects.count(), RunOutput.objects.count() > 6, UnitTree.objects.count()) == (4, True, 1)
    assert problems() == []


def other_blob() -> Blob:
    return Blob.objects.get(made_by__name="table.parquet", made_by__run__case__slug="case-a")


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("statement", lambda: None, "statement"), ("statement", other_blob, "statement"),
        ("procedure", lambda: "sighting_match@1", "procedure"), ("identity", lambda: "0" * 64, "identity"),
        ("case", lambda: Case.objects.create(slug="c", founder=Case.objects.first().founder), "case"),
        ("state", lambda: Run.State.FAILED, "state"),
    ],
)  # fmt: skip
def test_a_run_that_says_otherwise_is_named(result: Run, column: str, value, named: str) -> None:
    Run.objects.filter(pk=result.pk).update(**{column: value()})
    assert f"run {result.pk}: its rows say another {named} than the event {result.event_id}" in problems()


def test_a_run_whose_event_is_forgotten_is_named(result: Run) -> None:
    Run.objects.filter(pk=result.pk).update(event=None)
    assert problems() == [f"run {result.pk}: it succeeded, and its row names no event"]


@pytest.mark.parametrize("parameters", [{"names": ["b.example"]}, [], 7, {"names": 1.5e300}])
def test_a_run_of_other_parameters_is_named(result: Run, parameters) -> None:
    Run.objects.filter(pk=result.pk).update(parameters=parameters)
    assert problems() == [f"run {result.pk}: procedure, parameters and inputs of its row do not have its identity"]


def test_a_run_of_other_inputs_is_named(result: Run) -> None:
    RunInput.objects.filter(run=result).update(blob=result.statement)
    assert problems() == [f"run {result.pk}: procedure, parameters and inputs of its row do not have its identity"]


def test_an_output_that_was_changed_is_named_by_its_event_and_as_one_of_which_none_says(result: Run) -> None:
    RunOutput.objects.filter(run=result, name="result.json").update(blob=other_blob())
    assert set(problems()) == {
        f"run {result.pk}: its rows say another result.json than the event {result.event_id}",
        f"run {result.pk}: no event says that it made result.json with the digest {other_blob().digest}",
    }


def test_an_output_that_was_taken_away_or_made_is_named(result: Run) -> None:
    RunOutput.objects.filter(run=result, name="result.json").delete()
    RunOutput.objects.create(run=result, name="more.json", blob=other_blob())
    assert set(problems()) == {
        f"run {result.pk}: its rows say another result.json than the event {result.event_id}",
        f"run {result.pk}: no event says that it made more.json with the digest {other_blob().digest}",
    }


def test_a_run_that_was_taken_away_is_missed(result: Run) -> None:
    tamper("DELETE FROM archive_runinput WHERE run_id = %s", result.pk)
    tamper("DELETE FROM archive_runoutput WHERE run_id = %s", result.pk)
    tamper("DELETE FROM archive_run WHERE id = %s", result.pk)
    assert problems() == [f"event {result.event_id}: a creation of which no run knows"]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE archive_unittree SET root = sha256(root)", "root, kind or count"),
        ("UPDATE archive_unittree SET count = count + 1", "root, kind or count"),
        ("UPDATE archive_unittree SET kind = 'pcap-packet'", "root, kind or count"),
        ("UPDATE archive_unittree SET key = sha256(key)", "key"), ("UPDATE archive_unittree SET key = ''", "key"),
    ],
)  # fmt: skip
def test_a_unit_tree_that_was_changed_is_named_in_each_case(result: Run, statement: str, named: str) -> None:
    tamper(statement)
    found = problems()
    assert len(found) == 2
    assert all(f"its row says another {named} than the event" in said for said in found)


def test_a_unit_tree_that_was_taken_away_is_missed_and_one_that_was_made_is_named(result: Run) -> None:
    tree = UnitTree.objects.get()
    tamper("DELETE FROM archive_unittree")
    made = UnitTree.objects.create(blob=other_blob(), kind="line", key=b"k" * 32, count=1, root=b"r" * 32)
    found = problems()
    assert found.pop(0) == f"unit tree of {made.blob_id}: no event says its root"
    assert len(found) == 2
    assert all(said.startswith(f"unit tree of {tree.blob_id}: the event ") for said in found)


def test_an_event_that_told_no_digest_of_its_key_yet_fits(result: Run) -> None:
    tamper('UPDATE archive_custodyevent SET text = regexp_replace(text, \'"key_digest":"[^"]*",\', \'\')')
    assert problems() == []
    tamper("UPDATE archive_custodyevent SET text = 'x' WHERE type = 'message digest calculation'")
    assert problems() == [f"unit tree of {UnitTree.objects.get().blob_id}: no event says its root"]
