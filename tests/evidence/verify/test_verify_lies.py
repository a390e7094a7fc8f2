"""An archive that lies over its own signature: all is signed and in the ledger, and what it says is not so."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from evidence.canonical import canonical
from evidence.digest import Digest
from evidence.keys import Ed25519Signer
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.proof import consistency_proof
from evidence.log.tlogproof import TlogProof, parse_tlog_proof
from evidence.log.units import disclose, lines_of
from evidence.opening import commitment, disclosure_digest
from evidence.receipt import receipt_bytes
from evidence.verify.audit import audit
from evidence.verify.trust import load_trust

GOLDEN = Path(__file__).parents[2] / "vectors/golden"
RESULT = "querier_concentration.result"


def test_the_truth_holds(golden, wrong) -> None:
    assert wrong(golden.bundle(golden.query_log())) == set()


def set_value(result) -> None:
    result["findings"][0]["value"] = 11


def set_count(result) -> None:
    result["findings"][0]["sources"]["count"] = 11


def set_percent(result) -> None:
    result["findings"][1]["share"]["percent"] = "60.01"


def set_share(result) -> None:
    result["findings"][1]["share"] |= {"numerator": 7, "percent": "70.00"}


def set_needles(result) -> None:
    result["findings"][0]["each_line_contains"].append("192.0.2.17")


def set_blob(result) -> None:
    result["sources"] = [{"digest": str(Digest.of(b"another file"))}]


def set_inputs(result) -> None:
    result["inputs"][0]["digest"] = str(Digest.of(b"another table"))


def set_parameters(result) -> None:
    result["parameters"] = {"name": "mail2.trump-email.com"}


def set_other_sources(result) -> None:
    result["findings"][0]["sources"]["digest"] = str(Digest.of(b"other sources"))


def set_no_value(result) -> None:
    del result["findings"][0]["value"]


def set_twice(result) -> None:
    result["findings"][1]["name"] = "lookups"


def set_negative(result) -> None:
    result["findings"][0]["value"] = -1


def set_of_nothing(result) -> None:
    result["findings"][1]["share"]["denominator"] = 0


def set_binary_needle(result) -> None:
    result["findings"][0]["each_line_contains"] = ["mäil"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (set_value, "sources-count"),
        (set_count, "sources-count"),
        (set_percent, "result-share"),
        (set_share, "result-share"),
        (set_needles, "lines"),
        (set_blob, "sources-count"),
        (set_inputs, "result-inputs"),
        (set_parameters, "result-attestation"),
        (set_other_sources, "result-attestation"),
        (set_no_value, "result-format"),
        (set_twice, "result-format"),
        (set_negative, "result-format"),
        (set_of_nothing, "result-format"),
        (set_binary_needle, "result-format"),
    ],
)
def test_a_result_that_lies_is_caught(change, code, golden, wrong) -> None:
    assert code in wrong(golden.bundle(golden.query_log(), change))


@pytest.mark.parametrize(
    "shift",
    [
        lambda value: value | {"line": value["line"] + 1},
        lambda value: value | {"start": value["start"] + 1},
        lambda value: value | {"stop": value["stop"] - 1},
        lambda value: value | {"stop": value["stop"] + 10**9},
    ],
)
def test_a_range_that_is_no_line_of_the_file_is_caught(shift, golden, wrong, monkeypatch) -> None:
    honest = golden.ranges

    def ranges(raw: bytes, client: str | None) -> bytes:
        *lines, last = honest(raw, client).splitlines(keepends=True)
        return b"".join(lines) + canonical(shift(json.loads(last))) + b"\n"

    monkeypatch.setattr(golden, "ranges", ranges)
    assert wrong(golden.bundle(golden.query_log())) == {"lines"}


def test_a_number_of_something_else_than_lines_is_not_called_checked(golden, tmp_path, check) -> None:
    def change(result) -> None:
        result["findings"][0] |= {"value": 12, "unit": "sightings"}
        result["procedure"] = result["procedure"]

    files = golden.bundle(golden.query_log(), change)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    findings = check(tmp_path)
    assert "sources-count" in {finding.code for finding in findings.of("unchecked")}
    (lookups,) = (number for number in findings.numbers if number.finding == "lookups")
    assert not lookups.followed


def test_every_key_of_the_event_has_to_have_signed(golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "DSSE", golden.DSSE[:1])
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-signature"}


def test_a_key_that_the_event_does_not_vouch_for_counts_for_nothing(golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "DSSE", (Ed25519Signer(bytes(32)), golden.DSSE[1]))
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-signature"}


@pytest.mark.parametrize("keys", [None, [], ["a key"], [{"keyid": "0" * 64, "algorithm": "ed25519", "public": ""}]])
def test_an_event_without_usable_keys_vouches_for_nothing(keys, golden, wrong, monkeypatch) -> None:
    monkeypatch.setattr(golden, "KEYS", keys)
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-keys"}


def test_another_builder_than_the_log_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.Invocation
    monkeypatch.setattr(golden, "Invocation", lambda **given: honest(**given | {"builder": "elsewhere.example"}))
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-output"}


def test_another_procedure_in_the_event_than_in_the_statement_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.event
    monkeypatch.setattr(
        golden,
        "event",
        lambda number, kind, objects, detail: honest(number, kind, objects, detail | {"procedure": "x@1"}),
    )
    assert "attestation-output" in wrong(golden.bundle(golden.query_log()))


def test_an_output_that_the_event_does_not_name_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.event

    def event(number, kind, objects, detail):
        kept = {role: data for role, data in objects.items() if role != "report.json"}
        return honest(number, kind, kept, detail)

    monkeypatch.setattr(golden, "event", event)
    assert wrong(golden.bundle(golden.query_log())) == {"attestation-output"}


def test_a_size_in_a_receipt_that_is_not_the_files_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.EventObject
    monkeypatch.setattr(golden, "EventObject", lambda digest, size, role: honest(digest, size + 1, role))
    assert "file-size" in wrong(golden.bundle(golden.query_log()))


def test_a_table_that_was_read_from_another_file_is_caught(golden, wrong, monkeypatch) -> None:
    honest = golden.Derivation

    def derivation(procedure, parameters, inputs):
        parse = procedure.startswith("parse.")
        return honest(procedure, parameters, (("source", Digest.of(b"another")),) if parse else inputs)

    monkeypatch.setattr(golden, "Derivation", derivation)
    assert wrong(golden.bundle(golden.query_log())) == {"result-inputs"}


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
    good = {"format": "custos/keys@1", "origin": golden.ORIGIN, "policy": golden.POLICY, "keys": golden.KEYS}
    other_key = [golden.KEYS[0], golden.KEYS[1] | {"keyid": "0" * 64}]
    stranger = golden.Vkey(golden.ORIGIN, golden.ED25519, Ed25519Signer(bytes(32)).public)
    assert wrong(files | {"custos-keys.json": canonical(good)}) == set()
    assert wrong(files | {"custos-keys.json": canonical(good | {"keys": other_key})}) == {"keys-format"}
    assert wrong(files | {"custos-keys.json": canonical(good | {"keys": golden.KEYS[:1]})}) == {"keys-differ"}
    claimed = canonical(good | {"policy": f"log {stranger}\nquorum none\n"})
    assert wrong(files | {"custos-keys.json": claimed}) == {"keys-differ"}
    assert wrong(files | {"custos-keys.json": b"[]"}) == {"keys-format"}
    assert wrong(files | {"custos-keys.json": canonical(good | {"format": "custos/keys@2"})}) == {"keys-format"}


def test_keys_alone_prove_nothing(golden, tmp_path, check) -> None:
    path = tmp_path / "custos-keys.json"
    path.write_bytes(canonical({"format": "custos/keys@1", "policy": golden.POLICY, "keys": golden.KEYS}))
    assert {finding.code for finding in check(path).said} == {"keys-absent"}


def unit_tree_files(golden, **changed) -> dict[str, bytes]:
    """A disclosure of two lines, and the receipt of the event that holds its root."""
    raw, key = golden.query_log(), bytes(range(32))
    shown = disclose(key, lines_of(raw), {0, 7}, Digest.of(raw))
    tree = {"format": "custos/unit-tree@1", "kind": "line", "count": shown["count"], "root": shown["root"]}
    detail = {"unit_tree": tree | changed}
    event = golden.event(1, "message digest calculation", {"source": raw}, detail)
    receipt = golden.receipts({"tree": event})["tree.receipt.json"]
    return {"a.disclosure.json": canonical(shown), "tree.receipt.json": receipt, "q.log": raw}


def test_a_disclosure_is_tied_to_the_event_that_holds_its_root(golden, tmp_path, check) -> None:
    for name, content in unit_tree_files(golden).items():
        (tmp_path / name).write_bytes(content)
    assert {finding.code for finding in check(tmp_path).of("unchecked")} == {"timestamp-absent"}
    assert not list(check(tmp_path).of("wrong"))


def test_a_disclosure_may_bring_its_receipt_along(golden, tmp_path, check) -> None:
    files = unit_tree_files(golden)
    receipt = files.pop("tree.receipt.json")
    for brought in (json.loads(receipt), receipt.decode()):
        shown = json.loads(files["a.disclosure.json"]) | {"receipt": brought}
        (tmp_path / "a.disclosure.json").write_bytes(canonical(shown))
        findings = check(tmp_path)
        assert {finding.code for finding in findings.of("unchecked")} == {"timestamp-absent"}
        assert "disclosure-receipt" in {finding.code for finding in findings.of("ok")}
    shown["receipt"] = "no receipt"
    (tmp_path / "a.disclosure.json").write_bytes(canonical(shown))
    assert {finding.code for finding in check(tmp_path).of("wrong")} == {"receipt-format"}


@pytest.mark.parametrize("changed", [{"root": base64.b64encode(bytes(32)).decode()}, {"count": 59}, {"kind": "gap"}])
def test_a_disclosure_of_another_tree_than_the_events_is_caught(changed, golden, wrong) -> None:
    assert wrong(unit_tree_files(golden, **changed)) == {"disclosure-receipt"}


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


def test_an_event_that_is_no_derivation_vouches_for_no_attestation(golden, tmp_path, check, monkeypatch) -> None:
    honest = golden.event
    monkeypatch.setattr(
        golden, "event", lambda number, kind, objects, detail: honest(number, "transfer", objects, detail)
    )
    for name, content in golden.bundle(golden.query_log()).items():
        (tmp_path / name).write_bytes(content)
    assert "attestation-keys" in {finding.code for finding in check(tmp_path).of("unchecked")}


def test_names_in_a_statement_that_are_no_texts_are_refused(golden, tmp_path, check) -> None:
    statement = json.loads(golden.statement_bytes(*statement_of(golden)))
    statement["predicate"]["buildDefinition"]["externalParameters"]["procedure"] = ["x@1"]
    path = tmp_path / "a.attestation.json"
    path.write_bytes(golden.sign_envelope(canonical(statement), golden.DSSE))
    assert {finding.code for finding in check(path).of("wrong")} == {"attestation-format"}


def statement_of(golden):
    derivation = golden.Derivation("x@1", {}, ())
    invocation = golden.Invocation("id", golden.ORIGIN, {}, Digest.of(b""), "custos/1", golden.MADE, golden.MADE)
    return derivation, invocation, []


def test_a_disclosure_in_a_receipt_that_cannot_be_read_is_caught(golden, wrong, monkeypatch) -> None:
    sealed = "bm90IEpTT04"
    honest_event, honest_receipt = golden.Event, golden.receipt_bytes
    monkeypatch.setattr(
        golden, "Event", lambda **given: honest_event(**given | {"sealed": (disclosure_digest(sealed),)})
    )
    monkeypatch.setattr(golden, "receipt_bytes", lambda **given: honest_receipt(**given | {"disclosures": [sealed]}))
    assert wrong(golden.bundle(golden.query_log())) == {"receipt-disclosure"}


def test_an_absurd_count_in_a_disclosure_is_refused(golden, wrong) -> None:
    files = unit_tree_files(golden)
    shown = json.loads(files["a.disclosure.json"]) | {"count": 10**4000}
    assert wrong(files | {"a.disclosure.json": json.dumps(shown).encode()}) == {"disclosure-format"}
