"""Keys are introduced, rotated and revoked in the ledger, and each signature is theirs whose time it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from archive import wiring
from archive.models import Checkpoint, CustodyEvent, KeyEnd, KeyVersion, Leaf, Run, Signing
from archive.services import access, bundles, custody, following, keys, publication, sequencing
from archive.services.receipts import issue_receipt
from archive.services.refusals import BadInput
from evidence.attest.dsse import PublicKey, parse_envelope, verify_envelope
from evidence.errors import LogError, SignatureError
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.opening import parse_event
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust
from tests.archive.services.conftest import LINE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db
ROTATION, REVOCATION = "key rotation", "key revocation"


@pytest.fixture
def grow(ann):
    case = access.ensure_case(principal=ann, reference="a")
    keys.introduce_keys()

    def events(count: int = 1) -> CustodyEvent:
        for n in range(count):
            event = custody.record_event(case=case, type="access", objects=[], detail={"n": n}).event
        sequencing.sequence_pending()
        return event

    return events


def wrong(receipt: bytes, policy: str, folder: Path) -> set[str]:
    """What is wrong with a receipt for somebody who holds this policy."""
    (folder / "policy.txt").write_text(policy)
    (folder / "a.receipt.json").write_bytes(receipt)
    return {
        item.code for item in audit([folder / "a.receipt.json"], load_trust(folder / "policy.txt", None)).of("wrong")
    }


def test_the_first_keys_are_introduced_once_as_events_of_the_archive_itself(grow) -> None:
    assert keys.introduce_keys() == []
    grow()
    events = CustodyEvent.objects.filter(type="key introduction")
    assert [parse_event(event.text).case for event in events] == ["00000000-0000-0000-0000-000000000000"] * 2
    said = {key["keyid"] for event in events for key in json.loads(event.text)["detail"]["keys"]}
    assert said == set(KeyVersion.objects.values_list("keyid", flat=True))
    assert [key.name for key in keys.all_keys()] == ["log-ed25519", "log-ml-dsa-44", "dsse-ed25519", "dsse-ml-dsa-44"]
    assert sorted(path.name for path in wiring.keys_folder().glob("*-*")) == sorted(key.name for key in keys.all_keys())


def test_after_a_rotation_old_checkpoints_stay_and_new_ones_are_by_new_keys(grow, tmp_path) -> None:
    event, old_policy = grow(3), wiring.policy()
    before = issue_receipt(event=event)
    waiting = custody.record_event(case=event.case, type="access", objects=[], detail={"n": "waits"}).event
    new = keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    new_policy = wiring.policy()
    end = Leaf.objects.get(event__type=ROTATION)
    assert waiting.leaf.index < end.index
    assert {key.after for key in new} == set(KeyEnd.objects.values_list("last", flat=True)) == {end.index + 1}
    grow(2)
    assert new_policy != old_policy == wiring.policy(end.index + 1)
    for row in Checkpoint.objects.all():
        mine, other = (old_policy, new_policy) if row.size <= end.index + 1 else (new_policy, old_policy)
        assert problems(parse_policy(mine), parse_note(row.note)) == []
        assert problems(parse_policy(other), parse_note(row.note)) != []
    after = issue_receipt(event=event)
    assert wrong(before, old_policy, tmp_path) == wrong(after, new_policy, tmp_path) == set()
    size = Checkpoint.objects.filter(size__lte=end.index + 1).latest("size").size
    assert wrong(issue_receipt(event=event, size=size), old_policy, tmp_path) == set()
    assert "checkpoint-signature" in wrong(after, old_policy, tmp_path)
    assert sequencing.latest_checkpoint().size == Leaf.objects.count()


def test_the_newest_checkpoint_fits_the_policy_right_after_a_rotation(grow) -> None:
    grow()
    keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    assert problems(parse_policy(wiring.policy()), parse_note(sequencing.latest_checkpoint().note)) == []


def test_the_event_of_the_end_names_the_next_keys_under_the_old_ones(grow, tmp_path) -> None:
    grow()
    old_policy = wiring.policy()
    new = keys.replace_keys(purpose="log", event_type=REVOCATION, reason="the disk was stolen")
    event = CustodyEvent.objects.get(type=REVOCATION)
    detail = json.loads(event.text)["detail"]
    assert (detail["reason"], [key["keyid"] for key in detail["next"]]) == (
        "the disk was stolen",
        [k.keyid for k in new],
    )
    assert wrong(issue_receipt(event=event, size=event.leaf.index + 1), old_policy, tmp_path) == set()
    assert set(KeyEnd.objects.values_list("status", "reason")) == {("revoked", "the disk was stolen")}


def test_statements_stay_valid_and_later_ones_are_by_the_new_keys(hand_in) -> None:
    keys.introduce_keys()
    hand_in(LINE, names=["a.example"])
    first = Run.objects.order_by("created").last()
    keys.replace_keys(purpose="dsse", event_type=ROTATION, reason="yearly")
    hand_in(LINE * 2, names=["a.example"])
    last = Run.objects.order_by("created").last()
    periods = wiring.key_periods("dsse")
    for run, period in ((first, periods[0]), (last, periods[1])):
        named = [key["keyid"] for key in json.loads(run.event.text)["detail"]["keys"]]
        assert named == [key.keyid for key in period.keys]
        envelope = parse_envelope(b"".join(following.read_blob(run.statement)))
        verify_envelope(envelope, {key.keyid: PublicKey(key.algorithm, bytes(key.public)) for key in period.keys})
        assert set(Signing.objects.filter(digest=run.statement_id).values_list("keyid", flat=True)) == set(named)
    end = Leaf.objects.get(event__type=ROTATION).index
    assert first.event.leaf.index < end < last.event.leaf.index


def test_a_stranger_follows_all_of_it_offline(hand_in, client, tmp_path) -> None:
    keys.introduce_keys()
    hand_in(LINE)
    keys.replace_keys(purpose="dsse", event_type=REVOCATION, reason="stolen")
    hand_in(LINE * 2)
    keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    given = tmp_path / "given"
    given.mkdir()
    for event in client.get("/log/key-events").json()["events"]:
        (given / f"{event['id']}.receipt.json").write_bytes(client.get(event["receipt"]).content)
    for run in Run.objects.all():
        (given / f"{run.pk}.receipt.json").write_bytes(issue_receipt(event=run.event))
        (given / f"{run.pk}.attestation.json").write_bytes(b"".join(following.read_blob(run.statement)))
    (given / "custos-keys.json").write_bytes(client.get("/.well-known/custos-keys.json").content)
    (given / "checkpoint").write_bytes(client.get("/log/checkpoint").content)
    (tmp_path / "policy.txt").write_text(wiring.policy())
    found = audit([given], load_trust(tmp_path / "policy.txt", None))
    assert [str(item) for item in found.of("wrong")] == []
    assert {"key-statement", "key-checkpoint", "keys-differ", "attestation-signature"} <= {
        i.code for i in found.of("ok")
    }


def test_a_bundle_carries_the_lives_of_the_keys(hand_in, tmp_path) -> None:
    """Nothing is asked of the archive: a statement by a key outside its time is found in the folder alone."""
    keys.introduce_keys()
    hand_in(LINE, names=["a.example"])
    keys.replace_keys(purpose="dsse", event_type=REVOCATION, reason="stolen")
    sequencing.sequence_pending()
    run = Run.objects.get(procedure="querier_concentration@1")
    given = tmp_path / "given"
    given.mkdir()
    for item in bundles.items(run, raw=True):
        data = item.content if isinstance(item.content, bytes) else b"".join(following.read_blob(item.content))
        (given / item.name).write_bytes(data)
    leaves = Leaf.objects.filter(event__case=None)
    assert {path.name for path in given.glob("keys-*")} == {f"keys-{leaf.index}.receipt.json" for leaf in leaves}
    assert len(leaves) == 4
    (tmp_path / "policy.txt").write_text(wiring.policy())
    found = audit([given], load_trust(tmp_path / "policy.txt", None))
    assert [str(item) for item in found.of("wrong")] == []
    assert {item.code for item in found.of("unchecked")} == {"timestamp-absent"}
    assert len([item for item in found.of("ok") if item.code == "key-statement"]) == 4
    assert "key-checkpoint" in {item.code for item in found.of("ok")}


def test_every_signature_is_recorded_with_what_it_is_for(grow) -> None:
    grow()
    checkpoint = sequencing.latest_checkpoint()
    rows = Signing.objects.filter(size=checkpoint.size)
    assert {row.keyid for row in rows} == {key.keyid for key in wiring.key_periods("log")[0].keys}
    tried = Signing.objects.filter(size=None, digest="")
    assert {row.keyid for row in tried} == {key.keyid for key in keys.all_keys()}


def test_a_new_key_that_does_not_sign_changes_nothing(grow, monkeypatch) -> None:
    grow()
    before, policy = Leaf.objects.count(), wiring.policy()
    new = keys.prepare_keys(purpose="log")
    (wiring.keys_folder() / new[1].name).write_text("damaged")
    wiring._signer.cache_clear()
    with pytest.raises(SignatureError, match="log-ml-dsa-44-2 is damaged"):
        keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    assert (Leaf.objects.count(), wiring.policy(), KeyEnd.objects.count()) == (before, policy, 0)
    grow()


def test_no_key_is_replaced_while_the_newest_checkpoint_cannot_be_kept_outside(grow) -> None:
    grow()
    publication.path().unlink(missing_ok=True)
    publication.path().with_name("next").mkdir(parents=True)
    before = wiring.policy()
    with pytest.raises(LogError, match="nothing more is signed until it can"):
        keys.replace_keys(purpose="log", event_type=ROTATION, reason="planned")
    assert (wiring.policy(), CustodyEvent.objects.filter(type=ROTATION).count()) == (before, 0)


def test_a_key_file_that_is_not_the_ledgers_signs_nothing(grow) -> None:
    grow()
    (wiring.keys_folder() / "log-ed25519").write_text("ab" * 32)
    wiring._signer.cache_clear()
    with pytest.raises(SignatureError, match="is another than the ledger has"):
        grow()
    with pytest.raises(CommandError, match="is another than the ledger has"):
        call_command("make_keys")


def test_prepared_keys_are_the_ones_that_come_into_force(grow) -> None:
    prepared = keys.prepare_keys(purpose="log")
    assert [key.name for key in prepared] == ["log-ed25519-2", "log-ml-dsa-44-2"]
    grow()
    new = keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    assert [key.keyid for key in new] == [key.keyid for key in prepared]
    again = keys.replace_keys(purpose="log", event_type=ROTATION, reason="again")
    assert [key.name for key in again] == ["log-ed25519-3", "log-ml-dsa-44-3"]
    assert [(period.after, period.last) for period in wiring.key_periods("log")][1:] == [
        (new[0].after, again[0].after), (again[0].after, None),
    ]  # fmt: skip


def test_no_key_ends_without_a_reason_or_before_it_began(ann) -> None:
    with pytest.raises(BadInput, match="make_keys"):
        keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    keys.introduce_keys()
    with pytest.raises(BadInput, match="say why"):
        keys.replace_keys(purpose="log", event_type=REVOCATION, reason=" ")


def test_the_command_lists_and_replaces_and_says_what_others_need(grow, capsys) -> None:
    grow()
    call_command("keys", "rotate", "--purpose", "log")
    said = capsys.readouterr().out
    assert [line for line in wiring.policy().splitlines() if line.startswith("log ")] == [
        line for line in said.splitlines() if line.startswith("log ")
    ]
    assert (wiring.home() / "policy.txt").read_text() == wiring.policy()
    call_command("keys", "list")
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("\t")[2].partition(" at ")[0] for line in lines] == ["retired"] * 2 + ["in force"] * 4
    with pytest.raises(CommandError, match="say why"):
        call_command("keys", "revoke", "--purpose", "dsse")
    with pytest.raises(CommandError, match="--purpose log or --purpose dsse"):
        call_command("keys", "revoke")


def test_the_doors_show_keys_their_lives_and_their_receipts(grow, client, tmp_path) -> None:
    grow()
    old_policy, size = wiring.policy(), sequencing.latest_checkpoint().size
    keys.replace_keys(purpose="dsse", event_type=REVOCATION, reason="stolen")
    keys.replace_keys(purpose="log", event_type=ROTATION, reason="yearly")
    listed = client.get("/.well-known/custos-keys.json").json()
    assert [key["status"] for key in listed["dsse"]] == ["revoked", "revoked", "active", "active"]
    assert [key["to"] == new["from"] for key, new in zip(listed["dsse"][:2], listed["dsse"][2:], strict=True)]
    assert client.get("/log/policy").text == listed["policy"] == wiring.policy()
    assert client.get("/log/policy", {"size": size}).text == old_policy
    assert [client.get("/log/policy", {"size": bad}).status_code for bad in ("x", "0")] == [400, 404]
    events = client.get("/log/key-events").json()["events"]
    assert [event["type"] for event in events] == [
        "key introduction", "key introduction", REVOCATION, "key introduction", ROTATION, "key introduction",
    ]  # fmt: skip
    for event in events:
        assert wrong(client.get(event["receipt"]).content, wiring.policy(), tmp_path) == set()
    old = client.get(events[4]["receipt"], {"size": events[4]["leaf"] + 1})
    assert wrong(old.content, old_policy, tmp_path) == set()
    private = CustodyEvent.objects.filter(type="access").first()
    assert client.get(f"/log/key-events/{private.pk}.receipt.json").status_code == 404
