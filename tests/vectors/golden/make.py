"""Makes the golden set beside this script: a small bundle as an archive hands it out, its policy and its authority.

Run from the root of the project: `python tests/vectors/golden/make.py`. Needs the command `openssl`, which plays the
timestamp authority. Keys are made from fixed seeds; signatures and the token differ from run to run, so the files are
kept and not made anew by tests.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evidence.attest.derivation import Derivation, Invocation, statement_bytes
from evidence.attest.signing import sign_envelope
from evidence.canonical import canonical
from evidence.custody import event_bytes
from evidence.digest import Digest
from evidence.keys import Ed25519Signer, MlDsa44Signer, keyid
from evidence.log.checkpoint import Checkpoint, sign_checkpoint
from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import ED25519, ML_DSA_44, Vkey, parse_note
from evidence.log.policy import policy_text
from evidence.log.proof import inclusion_proof
from evidence.log.tlogproof import TlogProof
from evidence.opening import Event, EventObject, commitment
from evidence.receipt import receipt_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
BUNDLE = HERE / "bundle"
ORIGIN = "archive.example.org/golden"
NAME = "mail1.trump-email.com"
ANSWER = (
    f"192.0.2.17 made 6 of 10 lookups of {NAME} (60.00 %); 198.51.100.5 made 4 (40.00 %), the two together 100.00 % "
    "of those by 2 clients."
)
MADE = "2026-11-01T00:00:00.000Z"
UNIX = 1793491200


def seed(label: str) -> bytes:
    return hashlib.sha256(f"golden {label}".encode()).digest()


LOG = (Ed25519Signer(seed("log")), MlDsa44Signer(seed("log")))
DSSE = (Ed25519Signer(seed("dsse")), MlDsa44Signer(seed("dsse")))
POLICY = policy_text([Vkey(ORIGIN, ED25519, LOG[0].public), Vkey(ORIGIN, ML_DSA_44, LOG[1].public)])
KEYS = [
    {"keyid": keyid(key.public), "algorithm": key.algorithm, "public": base64.b64encode(key.public).decode()}
    for key in DSSE
]


def query_log() -> bytes:
    """Sixty queries: of the name 7 by one client, 3 by another; its case and other names vary."""
    lines = []
    for number in range(60):
        wanted = number % 6 == 0
        client = "192.0.2.17" if wanted and number % 18 else "198.51.100.5" if wanted else f"203.0.113.{number}"
        name = (NAME if number % 4 else NAME.upper()) if wanted else f"host{number}.example.net"
        lines.append(
            f"0{1 + number // 10}-Jun-2016 10:00:{number:02}.000 client {client}#5{number:04} ({name}): "
            f"query: {name} IN A + (203.0.113.250)\n"
        )
    return "".join(lines).encode()


def ranges(raw: bytes, client: str | None) -> bytes:
    """The sources of a finding, found by searching each line."""
    found, start = [], 0
    for number, line in enumerate(raw.splitlines(keepends=True), 1):
        if NAME.encode() in line.lower() and (client is None or f" {client}#".encode() in line):
            value = {"blob": str(Digest.of(raw)), "line": number, "start": start, "stop": start + len(line)}
            found.append(canonical(value) + b"\n")
        start += len(line)
    return b"".join(found)


def finding(name: str, client: str | None, sources: bytes, raw: bytes, before: int, whole: int) -> dict[str, Any]:
    count = sources.count(b"\n")
    times = [when(raw[json.loads(line)["start"] :]) for line in sources.splitlines()]
    common: dict[str, Any] = {"name": name, "title": f"Lookups of {NAME}", "value": count, "unit": "lookups"}
    common["each_line_contains"] = [NAME] + ([client] if client else [])
    common["sources"] = {"name": f"{name}.sources.ndjson", "digest": str(Digest.of(sources)), "count": count}
    common |= {"first": min(times), "last": max(times)} if times else {}
    if client:
        common |= {"title": f"Lookups by {client}", "client": client, "share": share(count, whole)}
        common["cumulative"] = share(before + count, whole)
    return common


def when(line: bytes) -> str:
    """A line of `query_log` begins with a day of June 2016 and a time."""
    return f"2016-06-{line[:2].decode()}T{line[12:24].decode()}Z"


def share(part: int, whole: int) -> dict[str, Any]:
    low = math.gcd(part, whole)
    return {"numerator": part // low, "denominator": whole // low, "percent": f"{100 * part / whole:.2f}"}


def table(found: list[dict[str, Any]]) -> dict[str, Any]:
    rows = [
        [
            rank, item["client"], item["value"], item["share"]["percent"], item["cumulative"]["percent"],
            item["first"], item["last"],
        ]
        for rank, item in enumerate(found, 1)
    ]  # fmt: skip
    columns = ["rank", "client", "lookups", "share %", "cumulative %", "first", "last"]
    return {"columns": columns, "rows": rows, "clients": len(found)}


def attestation(derivation: Derivation, outputs: dict[str, bytes]) -> bytes:
    invocation = Invocation(
        id="0198a7c0-0000-7000-8000-000000000001", builder=ORIGIN, engine={"engine": "golden"},
        code=Digest.of(b"golden"), software="custos/0.1.0", started=MADE, finished=MADE,
    )  # fmt: skip
    named = [(name, Digest.of(content)) for name, content in outputs.items()]
    return sign_envelope(statement_bytes(derivation, invocation, named), DSSE)


def event(number: int, kind: str, objects: dict[str, bytes], detail: dict[str, object]) -> bytes:
    return event_bytes(
        Event(
            id=f"0198a7c0-0000-7000-8000-00000000010{number}", case="golden", type=kind, time=MADE,
            agent_kind="software", agent_id="custos", outcome="success", detail=detail,
            objects=tuple(EventObject(Digest.of(data), len(data), role) for role, data in objects.items()),
            software="custos/0.1.0", sealed=(),
        )
    )  # fmt: skip


def creation(number: int, derivation: Derivation, envelope: bytes, outputs: dict[str, bytes]) -> bytes:
    detail = {
        "run": f"0198a7c0-0000-7000-8000-00000000020{number}", "procedure": derivation.procedure,
        "identity": derivation.identity, "keys": KEYS,
    }  # fmt: skip
    return event(number, "creation", {"statement": envelope, **outputs}, detail)


def token(text: str) -> bytes:
    """An RFC 3161 response over `text` by an authority made for it, whose certificate goes to tsa.pem."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder)
        (into / "serial").write_text("01\n")
        (into / "tsa.cnf").write_text(
            "[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=ext\n[dn]\nCN=Golden Time Authority\n"
            "[ext]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
            "basicConstraints=critical,CA:FALSE\n[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ncrypto_device=builtin\n"
            "signer_cert=tsa.pem\nsigner_key=tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\n"
            "digests=sha256\ness_cert_id_alg=sha256\n"
        )
        (into / "note").write_text(text)
        for command in (
            "req -x509 -newkey rsa:2048 -nodes -days 36500 -config tsa.cnf -keyout tsa.key -out tsa.pem",
            "ts -query -data note -sha256 -cert -no_nonce -out query.tsq",
            "ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr",
        ):
            subprocess.run(["openssl", *command.split()], cwd=into, check=True, capture_output=True)
        (HERE / "tsa.pem").write_bytes((into / "tsa.pem").read_bytes())
        return (into / "reply.tsr").read_bytes()


def receipts(events: dict[str, bytes]) -> dict[str, bytes]:
    """A log of these events, its checkpoint, and a receipt for each, without timestamps."""
    salts = {name: seed(f"salt {name}") for name in events}
    leaves = [leaf_hash(commitment(salts[name], text)) for name, text in events.items()]
    checkpoint = Checkpoint(ORIGIN, len(leaves), tree_root(leaves))
    note = str(sign_checkpoint(checkpoint, *LOG, UNIX))
    made = {"checkpoint": note.encode()}
    for index, (name, text) in enumerate(events.items()):
        path = inclusion_proof(index, len(leaves), lambda start, stop: tree_root(leaves[start:stop]))
        proof = str(TlogProof(index, tuple(path), note))
        made[f"{name}.receipt.json"] = receipt_bytes(
            event=text.decode(), salt=salts[name], proof=proof, disclosures=[], policy=POLICY
        )
    return made


def stamped(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same with a token over the checkpoint in every receipt."""
    text = parse_note(files["checkpoint"]).text
    stamp = {"authority": "Golden Time Authority", "response": base64.b64encode(token(text)).decode()}
    receipts_of = {name: json.loads(content) for name, content in files.items() if name.endswith(".receipt.json")}
    return files | {name: canonical({**value, "timestamps": [stamp]}) for name, value in receipts_of.items()}


def bundle(raw: bytes, change: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, bytes]:
    """All files by name; `change` may alter the result before it is signed, as an archive that lies would."""
    parsed = {"table.parquet": b"PAR1 a table that the check never opens", "report.json": b"{}"}
    parse = Derivation("parse.bind@2", {}, (("source", Digest.of(raw)),))
    parse_envelope = attestation(parse, parsed)
    clients = {"lookups": None, "client-1": "192.0.2.17", "client-2": "198.51.100.5"}
    sources = {name: ranges(raw, client) for name, client in clients.items()}
    counts = [data.count(b"\n") for data in sources.values()]
    found = [
        finding(name, client, sources[name], raw, sum(counts[1:number]), counts[0])
        for number, (name, client) in enumerate(clients.items())
    ]
    table_digest = Digest.of(parsed["table.parquet"])
    question = Derivation("querier_concentration@1", {"name": NAME}, (("table", table_digest),))
    value: dict[str, Any] = {
        "format": "custos/result@1", "procedure": question.procedure, "parameters": question.parameters,
        "inputs": [{"role": "table", "digest": str(table_digest)}], "sources": [{"digest": str(Digest.of(raw))}],
        "title": f"Who looked up {NAME}", "answer": ANSWER, "findings": found, "table": table(found[1:]),
        "assumptions": [],
        "limits": ["A lookup is not a communication.", "The querying address is a resolver, not a person."],
    }  # fmt: skip
    change(value)
    result = canonical(value)
    outputs = {"result.json": result, **{f"{name}.sources.ndjson": data for name, data in sources.items()}}
    envelope = attestation(question, outputs)
    files = receipts({
        "source-1": event(1, "ingestion", {"source": raw}, {"submission": "golden", "duplicate": False}),
        "parse-1": creation(2, parse, parse_envelope, parsed),
        "querier_concentration.result": creation(3, question, envelope, outputs),
    })  # fmt: skip
    files |= {"source-1.raw": raw, "parse-1.attestation.json": parse_envelope}
    files |= {"querier_concentration.result.json": result, "querier_concentration.result.attestation.json": envelope}
    return files | {f"{name}.sources.ndjson": data for name, data in sources.items()}


def main() -> None:
    BUNDLE.mkdir(exist_ok=True)
    for name, content in stamped(bundle(query_log())).items():
        (BUNDLE / name).write_bytes(content)
    (HERE / "policy.txt").write_text(POLICY)


if __name__ == "__main__":
    main()
