"""Receipts, checkpoints, tokens and key lists that lie over a signature that holds."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from evidence.canonical import canonical
from evidence.keys import Ed25519Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.proof import consistency_proof
from evidence.log.tlogproof import TlogProof, parse_tlog_proof
from evidence.opening import commitment, disclosure_digest
from evidence.receipt import receipt_bytes
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust

GOLDEN = Path(__file__).parents[2] / "vectors/golden"
RESULT = "querier_concentration.result"


def test_a_size_in_a_receipt_that_is_not_the_files_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.EventObject
    monkeypatch.setattr(golden, "EventObject", lambda digest, size, role: honest(digest, size + 1, role))
    assert "file-size" in wrong(golden.bundle(golden.query_log()))


def test_two_roots_at_one_size_are_two_histories(golden, wrong) -> None:
    files = golden.bundle(golden.query_log())
    other = sign_checkpoint(Checkpoint(golden.ORIGIN, 3, bytes(32)), *golden.LOG, golden.UNIX)
    assert wrong(files | {"checkpoint": str(other).encode()}) == {"checkpoint-consistency"}


def test_a_key_that_only_the_receipt_claims_is_caught(golden, wrong, monkeypatch) -> None:
    mine = golden.POLICY
    stranger = golden.Vkey(golden.ORIGIN, golden.ED25519, Ed25519Signer(bytes(32)).public)
    monkeypatch.setattr(golden, "POLICY", f"log {stranger}\n{mine}")
    assert "receipt-policy" in wrong(golden.bundle(golden.query_log()))


@pytest.mark.parametrize("policy", ["", "log nonsense\nquorum none\n", "\u2028"])
def test_a_broken_policy_in_a_receipt_is_wrong_though_it_is_never_trusted(policy, golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "POLICY", policy)
    assert "receipt-policy" in wrong(golden.bundle(golden.query_log()))


def test_a_keys_file_has_to_fit_itself_and_the_events(golden, wrong) -> None:
    files = golden.bundle(golden.query_log())
    keys = [key | {"from": None, "to": None, "status": "active"} for key in golden.KEYS]
    good = keys_file(golden, keys)
    other_key = [keys[0], keys[1] | {"keyid": "0" * 64}]
    stranger = golden.Vkey(golden.ORIGIN, golden.ED25519, Ed25519Signer(bytes(32)).public)
    assert wrong(files | {"custos-keys.json": canonical(good)}) == set()
    assert wrong(files | {"custos-keys.json": canonical(good | {"dsse": other_key})}) == {"keys-format"}
    assert wrong(files | {"custos-keys.json": canonical(good | {"dsse": keys[:1]})}) == {"keys-differ"}
    claimed = canonical(good | {"policy": f"log {stranger}\nquorum none\n"})
    assert wrong(files | {"custos-keys.json": claimed}) == {"keys-differ"}
    assert wrong(files | {"custos-keys.json": b"[]"}) == {"keys-format"}
    assert wrong(files | {"custos-keys.json": canonical(good | {"format": "custos/keys@2"})}) == {"keys-format"}
    for change in ({"more": 1}, {"dsse": [*keys, keys[0]]}, {"dsse": [keys[0] | {"status": "fine"}]}, {"policy": ""}):
        assert wrong(files | {"custos-keys.json": canonical(good | change)}) == {"keys-format"}
    elsewhere = canonical(good | {"origin": "elsewhere.example/log"})
    assert wrong(files | {"custos-keys.json": elsewhere}) == {"keys-differ"}


def keys_file(golden, keys) -> dict[str, object]:
    return {
        "format": "custos/keys@1", "origin": golden.ORIGIN, "policy": golden.POLICY, "dsse": keys,
        "timestamp_authorities": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"from": "2026-10-31T00:00:00Z", "to": "2026-11-02T00:00:00Z", "status": "retired"}, set()),
        ({"from": "2026-11-02T00:00:00Z"}, {"keys-differ"}),
        ({"to": "2026-10-31T00:00:00Z", "status": "revoked"}, {"keys-differ"}),
        ({"status": "revoked"}, {"keys-differ"}),
        ({"to": "2026-10-31T00:00:00"}, {"keys-format"}),
    ],
)
def test_an_event_may_name_no_key_outside_its_time(change, codes, golden, wrong) -> None:
    keys = [key | {"from": None, "to": None, "status": "active"} | change for key in golden.KEYS]
    files = golden.bundle(golden.query_log()) | {"custos-keys.json": canonical(keys_file(golden, keys))}
    assert wrong(files) == codes


def test_keys_alone_prove_nothing(golden, tmp_path, check) -> None:
    path = tmp_path / "custos-keys.json"
    path.write_bytes(canonical(keys_file(golden, [])))
    assert {finding.code for finding in check(path).said} == {"keys-absent"}


def later_receipt(golden, *, hashes: bool = True, origin: str | None = None) -> bytes:
    """The receipt of the first of three events at size 1, with a token over the checkpoint at size 3."""
    raw = golden.query_log()
    event = golden.event(1, "ingestion", {"source": raw}, {})
    leaves = [leaf_hash(commitment(bytes(32), event)), leaf_hash(b"b"), leaf_hash(b"c")]
    notes = {
        size: str(sign_checkpoint(Checkpoint(golden.ORIGIN, size, tree_root(leaves[:size])), *golden.LOG, golden.UNIX))
        for size in (1, 3)
    }
    proof = str(TlogProof(0, (), notes[1]))
    receipt = receipt_bytes(event=event.decode(), salt=bytes(32), proof=proof, disclosures=[], policy=golden.POLICY)
    path = consistency_proof(1, 3, lambda start, stop: tree_root(leaves[start:stop])) if hashes else []
    checkpoint = notes[3] if origin is None else notes[3].replace(golden.ORIGIN, origin)
    later = {"checkpoint": checkpoint, "hashes": [base64.b64encode(item).decode() for item in path]}
    text = notes[3].partition("\n\n")[0] + "\n"
    stamp = {"authority": "Golden Time Authority", "later": later}
    stamp["response"] = base64.b64encode(golden.token(text)).decode()
    return canonical({**json.loads(receipt), "timestamps": [stamp]})


@pytest.fixture
def authority(golden, tmp_path_factory, monkeypatch):
    """Certificates made by the test go to a folder of their own."""
    home = tmp_path_factory.mktemp("authority")
    monkeypatch.setattr(golden, "HERE", home)
    return home / "tsa.pem"


def test_a_token_over_a_later_checkpoint_counts_with_its_proof(golden, authority, tmp_path) -> None:
    path = tmp_path / "a.receipt.json"
    raw = tmp_path / "q.log"
    raw.write_bytes(golden.query_log())
    path.write_bytes(later_receipt(golden))
    trust = load_trust(GOLDEN / "policy.txt", authority)
    assert audit([path, raw], trust).exit_status == 0
    path.write_bytes(later_receipt(golden, hashes=False))
    trust = load_trust(GOLDEN / "policy.txt", authority)
    assert {f.code for f in audit([path, raw], trust).of("wrong")} == {"checkpoint-consistency"}
    path.write_bytes(later_receipt(golden, origin="elsewhere.example/log"))
    trust = load_trust(GOLDEN / "policy.txt", authority)
    assert "checkpoint-signature" in {f.code for f in audit([path, raw], trust).of("wrong")}


def test_a_token_by_a_stranger_is_caught(golden, authority, wrong) -> None:
    assert wrong({"a.receipt.json": later_receipt(golden)}) == {"timestamp"}
    assert authority.exists()


def test_an_authority_by_another_name_than_its_certificates_is_caught(bundle, check) -> None:
    path = bundle / "source-1.receipt.json"
    path.write_bytes(path.read_bytes().replace(b"Golden Time Authority", b"Golden Time Authoress"))
    assert {finding.code for finding in check(bundle).of("wrong")} == {"timestamp"}


def test_a_bare_proof_is_judged_by_its_checkpoint_alone(bundle, tmp_path, check) -> None:
    proof = json.loads((bundle / "source-1.receipt.json").read_bytes())["proof"]
    path = tmp_path / "a.tlog-proof"
    path.write_text(proof)
    assert {finding.code for finding in check(path).of("unchecked")} == {"proof-alone"}
    assert not list(check(path).of("wrong"))
    path.write_text(proof.replace("index 0", "index x"))
    assert {finding.code for finding in check(path).of("wrong")} == {"checkpoint-format"}
    changed = str(parse_tlog_proof(proof).checkpoint).replace("\n3\n", "\n4\n", 1)
    path.write_text(proof.partition("\n\n")[0] + "\n\n" + changed)
    assert "checkpoint-signature" in {finding.code for finding in check(path).of("wrong")}


def test_a_disclosure_in_a_receipt_that_cannot_be_read_is_caught(golden, wrong, monkeypatch) -> None:
    sealed = "bm90IEpTT04"
    honest_event, honest_receipt = golden.Event, golden.receipt_bytes
    monkeypatch.setattr(
        golden, "Event", lambda **given: honest_event(**given | {"sealed": (disclosure_digest(sealed),)})
    )
    monkeypatch.setattr(golden, "receipt_bytes", lambda **given: honest_receipt(**given | {"disclosures": [sealed]}))
    assert wrong(golden.bundle(golden.query_log())) == {"receipt-disclosure"}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"time":"2026-11-01', '"time":"2026-13-01'),
        lambda text: text.replace('"id":"0198a7c0-0000-7', '"id":"0198a7c0-0000-4'),
        lambda text: text.replace("{", "{ ", 1),
        lambda text: text.replace('"size":', '"size":-'),
        lambda text: text.replace("2026-11-01", "\uff12026-11-01"),
    ],
)
def test_an_event_that_was_committed_in_another_form_is_refused(change, golden, wrong, monkeypatch) -> None:
    honest = golden.event
    monkeypatch.setattr(golden, "event", lambda *given: change(honest(*given).decode()).encode())
    assert "receipt-event" in wrong(golden.bundle(golden.query_log()))


def test_a_log_that_shows_two_leaves_at_one_index_is_caught(golden, wrong) -> None:
    """Two receipts under checkpoints of different sizes, each of which holds by itself."""
    one = golden.receipts({"a": golden.event(1, "ingestion", {"source": b"one"}, {})})
    two = golden.receipts({
        "b": golden.event(2, "ingestion", {"source": b"two"}, {}), "c": golden.event(3, "ingestion", {}, {}),
    })  # fmt: skip
    files = {name: data for made in (one, two) for name, data in made.items() if name.endswith(".receipt.json")}
    assert wrong(files) == {"checkpoint-consistency"}


def test_receipts_under_checkpoints_that_nothing_ties_together_are_not_all_checked(golden, tmp_path, check) -> None:
    events = {name: golden.event(number, "ingestion", {}, {}) for number, name in enumerate("abc")}
    first = golden.receipts(dict(list(events.items())[:1]))["a.receipt.json"]
    (tmp_path / "a.receipt.json").write_bytes(first)
    (tmp_path / "c.receipt.json").write_bytes(golden.receipts(events)["c.receipt.json"])
    found = check(tmp_path)
    assert not list(found.of("wrong"))
    assert "checkpoint-consistency" in {finding.code for finding in found.of("unchecked")}


def test_a_receipt_whose_policy_is_of_another_log_claims_no_key(golden, tmp_path, check, monkeypatch) -> None:
    stranger = golden.Vkey("elsewhere.example/log", golden.ED25519, Ed25519Signer(bytes(32)).public)
    monkeypatch.setattr(golden, "POLICY", f"log {stranger}\nquorum none\n")
    (tmp_path / "a.receipt.json").write_bytes(
        golden.receipts({"a": golden.event(1, "ingestion", {}, {})})["a.receipt.json"]
    )
    found = check(tmp_path, policy=False)
    assert {finding.code for finding in found.of("wrong")} == {"receipt-policy"}
    assert any("no signature was checked" in finding.message for finding in found.of("unchecked"))


def test_an_event_cannot_be_later_than_a_token_over_it(golden, authority, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(golden, "MADE", "2126-11-01T00:00:00.000Z")
    path = tmp_path / "a.receipt.json"
    path.write_bytes(later_receipt(golden))
    found = audit([path], load_trust(GOLDEN / "policy.txt", authority))
    assert [(finding.code, finding.got) for finding in found.of("wrong")] == [("timestamp", "2126-11-01T00:00:00.000Z")]


@pytest.mark.parametrize("name", ["type", "objects"])
def test_a_disclosure_cannot_speak_for_a_member_of_the_event(name, golden, wrong, monkeypatch) -> None:
    sealed = base64.urlsafe_b64encode(canonical(["0123456789012345678901", name, "x"])).rstrip(b"=").decode()
    honest_event, honest_receipt = golden.Event, golden.receipt_bytes
    monkeypatch.setattr(
        golden, "Event", lambda **given: honest_event(**given | {"sealed": (disclosure_digest(sealed),)})
    )
    monkeypatch.setattr(golden, "receipt_bytes", lambda **given: honest_receipt(**given | {"disclosures": [sealed]}))
    assert wrong(golden.bundle(golden.query_log())) == {"receipt-disclosure"}
