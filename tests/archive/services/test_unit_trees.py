"""Each file's tree stands in the ledger right after sealing, and a few lines of it convince a stranger."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from archive import wiring
from archive.models import Alarm, CustodyEvent, PendingTree, Run, UnitTree
from archive.services import access, disclosing, identification, sequencing, unit_trees
from archive.services.refusals import BadInput, NotAllowed, NotReady
from evidence.log.units import check_disclosure, lines_of, unit_root
from evidence.verify.cli import main as verify

pytestmark = pytest.mark.django_db
UNBOUND = Path(__file__).parents[2] / "recordings" / "unbound" / "unbound.dnstap"
LINE = b"04-May-2016 00:00:12.345 client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"
DATA = b"# note\n" + LINE * 3 + LINE.replace(b".17#", b".18#") + b"the end"


def plant() -> None:
    for digest in list(PendingTree.objects.values_list("pk", flat=True)):
        unit_trees.plant_tree(digest)
    sequencing.sequence_pending()


def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.txt"
    path.write_text(wiring.policy())
    return str(path)


def test_the_root_of_a_text_is_in_its_custody(hand_in) -> None:
    row = hand_in(DATA)
    plant()
    tree = UnitTree.objects.get(blob=row.blob)
    assert (tree.kind, tree.count) == ("line", 6)
    assert bytes(tree.root) == unit_root(bytes(tree.key), lines_of(DATA))
    event = unit_trees.event_of(tree, row.case)
    said = json.loads(event.text)
    assert said["detail"]["unit_tree"]["root"] == base64.b64encode(bytes(tree.root)).decode()
    assert bytes(tree.key).hex() not in event.text
    assert not PendingTree.objects.exists()


def test_a_text_that_no_reader_knows_has_lines_all_the_same(hand_in) -> None:
    assert hand_in(b"what only its owner\ncan read\n").read_as == "none"
    plant()
    tree = UnitTree.objects.get()
    assert (tree.kind, tree.count) == ("line", 2)


def test_the_same_bytes_in_another_case_have_the_same_tree_and_an_event_of_their_own(hand_in) -> None:
    first, second = hand_in(DATA), hand_in(DATA, case="case-b")
    plant()
    tree = UnitTree.objects.get()
    events = [unit_trees.event_of(tree, row.case) for row in (first, second)]
    assert all(events) and events[0] != events[1]
    hand_in(DATA, case="case-c")
    plant()
    assert CustodyEvent.objects.filter(text__contains="custos/unit-tree@1").count() == 3


def test_what_was_said_elsewhere_to_have_lines_has_them_in_another_case_too(ann, hand_in) -> None:
    data = b"\0what only one knows\n"
    row = hand_in(data)
    identification.state_reading(principal=ann, submission=row, reading={"procedure": "parse.bind@2"})
    plant()
    other = hand_in(data, case="case-b")
    plant()
    assert other.read_as == "none"
    assert unit_trees.event_of(UnitTree.objects.get(), other.case)


def test_planting_twice_changes_nothing_and_two_at_once_do_not_meet(hand_in) -> None:
    row = hand_in(DATA)
    assert unit_trees._take(row.blob_id) is not None
    unit_trees.plant_tree(row.blob_id)
    assert not UnitTree.objects.exists()
    PendingTree.objects.update(lease=None)
    plant()
    unit_trees.plant_tree(row.blob_id)
    assert CustodyEvent.objects.filter(text__contains="custos/unit-tree@1").count() == 1


@pytest.mark.parametrize("data", [b"", b"\0\1\2" * 50])
def test_what_has_no_units_has_no_tree(hand_in, data: bytes) -> None:
    hand_in(data)
    assert not PendingTree.objects.exists()


def test_a_few_lines_convince_a_stranger_and_nothing_else_is_in_them(ann, hand_in, tmp_path: Path, capsys) -> None:
    row = hand_in(DATA)
    plant()
    data = disclosing.disclose_units(principal=ann, case=row.case, blob=row.blob, numbers=[5, 1])
    assert check_disclosure(json.loads(data)) == {0: b"# note\n", 4: LINE.replace(b".17#", b".18#")}
    assert b"192.0.2.17" not in base64.b64decode(json.loads(data)["shown"][0][2])
    path = tmp_path / "two.disclosure.json"
    path.write_bytes(data)
    sequencing.sequence_pending()
    assert verify([str(path), "--policy", policy(tmp_path)]) == 3
    said = capsys.readouterr().out
    assert "disclosure-root" in said and "disclosure-receipt" in said and "timestamp-absent" in said
    value = json.loads(data)
    value["shown"][1][2] = base64.b64encode(LINE).decode()
    path.write_text(json.dumps(value))
    assert verify([str(path), "--policy", policy(tmp_path)]) == 1
    event = CustodyEvent.objects.get(type="disclosure")
    assert json.loads(event.text)["detail"] == {"kind": "line", "shown": 2, "of": 6}
    assert json.loads(event.text)["agent"]["id"] == str(ann.user.pk)


def test_the_lines_behind_a_number_are_disclosed_by_the_command(ann, hand_in, tmp_path: Path) -> None:
    row = hand_in(DATA, names=["a.example"])
    plant()
    result = Run.objects.get(procedure="querier_concentration@1")
    out = tmp_path / "number.disclosure.json"
    call_command(
        "disclose", "--user", "ann", "--blob", row.blob_id, "--finding", str(result.pk), "client-1", "--out", str(out)
    )
    assert check_disclosure(json.loads(out.read_bytes())) == dict.fromkeys((1, 2, 3), LINE)
    call_command(
        "disclose", "--user", "ann", "--blob", row.blob_id, "--case", "case-a", "--lines", "2-3,6", "--out", str(out)
    )
    assert check_disclosure(json.loads(out.read_bytes())) == {1: LINE, 2: LINE, 5: b"the end"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--lines", "0", "--case", "case-a"], "write numbers from 1"),
        (["--lines", "9,1", "--case", "case-a"], "the file has no line 9: name numbers from 1 to 6"),
        (["--lines", "1", "--case", "case-x"], "no case"),
        ([], "either --lines"),
        (["--finding", "x", "y"], "the id of a result"),
    ],
)
def test_wrong_turns_of_the_command_are_said_in_words(hand_in, tmp_path: Path, arguments: list[str], word: str) -> None:
    row = hand_in(DATA)
    plant()
    with pytest.raises(CommandError, match=word):
        call_command("disclose", "--user", "ann", "--blob", row.blob_id, "--out", str(tmp_path / "x"), *arguments)


def test_what_cannot_be_written_is_not_recorded_as_disclosed(hand_in, tmp_path: Path) -> None:
    row = hand_in(DATA)
    plant()
    for out in (tmp_path, tmp_path / "absent" / "x"):
        with pytest.raises(CommandError, match="name a file that can be written"):
            call_command(
                "disclose",
                "--user",
                "ann",
                "--blob",
                row.blob_id,
                "--case",
                "case-a",
                "--lines",
                "1",
                "--out",
                str(out),
            )
    assert not CustodyEvent.objects.filter(type="disclosure").exists()


def test_only_members_disclose_and_only_what_has_a_tree(ann, hand_in) -> None:
    row = hand_in(DATA)
    with pytest.raises(NotReady, match="no unit tree"):
        disclosing.disclose_units(principal=ann, case=row.case, blob=row.blob, numbers=[1])
    plant()
    with pytest.raises(BadInput, match="at least one"):
        disclosing.disclose_units(principal=ann, case=row.case, blob=row.blob, numbers=[])
    auditor = access.principal_of(access.ensure_user(user_name="eve", auditor=True))
    with pytest.raises(NotAllowed):
        disclosing.disclose_units(principal=auditor, case=row.case, blob=row.blob, numbers=[1])


def damage(path: Path) -> bytes:
    """Another first byte; what was there."""
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    return data


def let_leases_pass() -> None:
    PendingTree.objects.update(lease=timezone.now() - dt.timedelta(seconds=1))


def test_a_damaged_copy_gets_no_tree_and_an_alarm_says_so(hand_in, file_store) -> None:
    row = hand_in(DATA)
    damage(file_store / row.blob.place)
    plant()
    assert not UnitTree.objects.exists()
    assert "run manage.py fixity" in Alarm.objects.get(kind="unit tree").text


@pytest.mark.parametrize("role", ["source", "table", "rejects"])
def test_once_the_copy_is_whole_again_the_tree_is_planted_and_the_alarm_is_over(hand_in, file_store, role: str) -> None:
    row = hand_in(UNBOUND.read_bytes())
    table = Run.objects.get(procedure="parse.dnstap@1").outputs.get(name="table.parquet").blob
    rejects = Run.objects.get(procedure="parse.dnstap@1").outputs.get(name="rejects.parquet").blob
    path = file_store / {"source": row.blob, "table": table, "rejects": rejects}[role].place
    data = damage(path)
    plant()
    assert Alarm.objects.get(ended=None).kind == "unit tree"
    path.write_bytes(data)
    let_leases_pass()
    plant()
    assert UnitTree.objects.get(blob=row.blob).kind == "dnstap-frame"
    assert not PendingTree.objects.filter(blob=row.blob).exists()
    assert not Alarm.objects.filter(ended=None).exists()


def test_a_tree_is_planted_from_the_copy_that_is_whole_and_the_other_is_mended(hand_in, home, settings) -> None:
    settings.CUSTOS_STORE = f"file:{home / 'one'} file:{home / 'two'}"
    wiring.store.cache_clear()
    row = hand_in(DATA)
    path = home / "one" / row.blob.place.split(" ")[0][2:]
    data = damage(path)
    plant()
    assert UnitTree.objects.get().blob_id == row.blob_id
    assert path.read_bytes() == data
    assert not Alarm.objects.filter(ended=None).exists()
