"""The witness over real HTTP: what it answers, what it remembers, and that it never cosigns two histories."""

from __future__ import annotations

import hashlib
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from evidence.log.checkpoint import parse_checkpoint, verify_signature
from evidence.log.note import NoteSignature, parse_note, parse_vkey
from evidence.log.policy import parse_policy, problems
from tests.witness.conftest import ORIGIN, Log, Running, said

pytestmark = pytest.mark.enable_socket
NAME = hashlib.sha256(ORIGIN.encode()).hexdigest()


def test_a_log_that_grows_is_cosigned_by_both_keys(witness, found, log) -> None:
    lines = said("show", "--folder", str(witness.folder))[1]
    policy = parse_policy("".join(f"log {key}\n" for key in log.vkeys) + lines + "group both all w1.example-w "
                          "w1.example-w-pq\nquorum both\n")  # fmt: skip
    for old, size in ((0, 1), (1, 70), (70, 70), (70, 256), (256, 300)):
        answer = witness.add(log.request(old, size))
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
        note = parse_note(log.note(size) + answer.text)
        assert len(note.signatures) == 4
        assert problems(policy, note) == []
    kept = httpx.get(f"{witness.url}/{NAME}/checkpoint")
    assert kept.status_code == 200
    assert parse_checkpoint(parse_note(kept.text).text).size == 300
    assert problems(policy, parse_note(kept.text)) == []


def test_each_refusal_has_its_status_and_changes_nothing(witness, log) -> None:
    assert witness.add(log.request(0, 100)).status_code == 200
    stranger, fork = Log(seed=2).grow(300), Log().grow(50).grow(300, "other")
    unsigned = log.request(100, 200).rpartition(b"\n\n")[0] + b"\n\n" + stranger.note(200).partition("\n\n")[2].encode()
    one_key = log.request(100, 200).splitlines(keepends=True)
    cases = {
        "another origin": (log.request(0, 1).replace(ORIGIN.encode(), b"elsewhere.example/log"), 404),
        "no known signature": (unsigned, 403),
        "one of two keys": (b"".join(one_key[:-1]), 403),
        "old above size": (b"old 201\n\n" + log.note(200).encode(), 400),
        "no proof": (b"old 100\n\n" + log.note(200).encode(), 422),
        "another history": (fork.request(100, 200), 422),
        "another root of one size": (fork.request(100, 100), 422),
        "junk": (b"junk", 400),
        "a size of 5,000 digits": (log.request(100, 200).replace(b"\n200\n", b"\n" + b"9" * 5000 + b"\n"), 400),
        "not UTF-8": (b"old 100\n\n\xff", 400),
        "a leading zero": (log.request(100, 200).replace(b"old 100", b"old 0100"), 400),
        "too many hashes": (b"old 100\n" + b"A" * 43 + b"=\n" + (b"A" * 43 + b"=\n") * 63 + b"\n" + b"x", 400),
    }
    got = {name: (witness.add(body).status_code, status) for name, (body, status) in cases.items()}
    assert {name: answer for name, (answer, _wanted) in got.items()} == {
        name: status for name, (_, status) in cases.items()
    }
    for old in (0, 99, 150):
        answer = witness.add(log.request(old, 200))
        assert (answer.status_code, answer.headers["Content-Type"], answer.text) == (409, "text/x.tlog.size", "100\n")
    assert witness.add(log.request(100, 200)).status_code == 200


def test_odd_requests_are_answered_and_harm_nobody(witness, log) -> None:
    assert httpx.post(f"{witness.url}/elsewhere", content=b"x").status_code == 404
    assert httpx.get(f"{witness.url}/{'0' * 64}/checkpoint").status_code == 404
    assert httpx.get(f"{witness.url}/{NAME}/../../etc/passwd").status_code == 404
    assert httpx.post(f"{witness.url}/add-checkpoint", content=b"x" * 70_000).status_code == 413
    host, port = witness.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as endless:
        endless.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
        assert endless.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 1000\r\n\r\nold 0\n")
    assert witness.add(log.request(0, 1)).status_code == 200


def test_lines_that_others_add_to_a_checkpoint_are_not_kept(witness, log) -> None:
    """Anybody may send the published checkpoint again: what the archive compares with stays small enough to be read."""
    policy = parse_policy("".join(f"log {key}\n" for key in log.vkeys) + "quorum none\n")
    assert witness.add(log.request(0, 100)).status_code == 200
    kept = httpx.get(f"{witness.url}/{NAME}/checkpoint").text
    keys = [line.keyid for line in parse_note(kept).signatures]
    junk = str(NoteSignature(ORIGIN, b"junk", bytes(1000)))
    again = log.note(100).partition("\n\n")[2].splitlines(keepends=True)[0]
    for lines in (junk * 40, again * 300, str(NoteSignature("elsewhere", b"junk", b"x"))):
        assert witness.add(log.request(100, 100) + lines.encode()).status_code == 200
        now = httpx.get(f"{witness.url}/{NAME}/checkpoint").text
        assert [line.keyid for line in parse_note(now).signatures] == keys
        assert (len(now), problems(policy, parse_note(now))) == (len(kept), [])


def test_what_was_cosigned_is_remembered_through_a_kill(witness, log) -> None:
    for old, size in ((0, 10), (10, 20), (20, 30)):
        assert witness.add(log.request(old, size)).status_code == 200
        witness.kill()
        witness.start()
        answer = witness.add(log.request(0, 300))
        assert (answer.status_code, answer.text) == (409, f"{size}\n")
    fork = Log().grow(25).grow(300, "other")
    assert witness.add(fork.request(30, 40)).status_code == 422


def test_of_two_histories_at_once_only_one_is_cosigned(witness, log) -> None:
    fork = Log().grow(5).grow(300, "other")
    assert witness.add(log.request(0, 5)).status_code == 200
    bodies = [each.request(5, size) for size in range(6, 26) for each in (log, fork)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(witness.add, bodies))
    cosigned = [(n % 2, n // 2 + 6) for n, answer in enumerate(answers) if answer.status_code == 200]
    assert len(cosigned) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    side, size = cosigned[0]
    assert witness.add([log, fork][side].request(size, 100)).status_code == 200
    assert witness.add([log, fork][1 - side].request(100, 200)).status_code == 422


def test_a_damaged_memory_cosigns_nothing(witness, log) -> None:
    assert witness.add(log.request(0, 5)).status_code == 200
    (witness.folder / f"{NAME}.checkpoint").write_text("junk")
    answer = witness.add(log.request(5, 6))
    assert (answer.status_code, "damaged" in answer.text) == (500, True)


def test_a_second_process_in_one_folder_is_refused(witness) -> None:
    code, _out, err = said("run", "--folder", str(witness.folder), "--listen", "127.0.0.1:0")
    assert (code, "another witness runs" in err, "Traceback" in err) == (1, True, False)


def test_keys_stay_secret_and_mistakes_are_named(found, tmp_path, log) -> None:
    folder, lines = found("w9")
    assert {oct((folder / key).stat().st_mode & 0o777) for key in ("ed25519", "ml-dsa-44")} == {"0o600"}
    assert all(parse_vkey(line.split()[2]).name == "w9.example/w" for line in lines.splitlines())
    mistakes = {
        ("init", "--folder", str(folder), "--name", "again"): "is there already",
        ("init", "--folder", str(tmp_path / "x"), "--name", "with space"): "without spaces",
        ("follow", "--folder", str(folder), *log.vkeys): "followed already",
        ("follow", "--folder", str(folder), "nonsense"): "not a verifier key",
        ("run", "--folder", str(tmp_path / "absent")): "absent",
        ("run", "--folder", str(folder), "--listen", "nowhere"): "ADDRESS:PORT",
        ("run", "--folder", str(folder), "--listen", "127.0.0.1:99999"): "ADDRESS:PORT",
    }
    for arguments, words in mistakes.items():
        code, _out, err = said(*arguments)
        assert (code, words in err, "Traceback" in err) == (1, True, False), err
    (folder / "ed25519").chmod(0o644)
    assert "chmod 600" in said("show", "--folder", str(folder))[2]


def test_its_lines_verify_alone_and_name_their_time(witness, log) -> None:
    lines = said("show", "--folder", str(witness.folder))[1].splitlines()
    note = parse_note(log.note(7) + witness.add(log.request(0, 7)).text)
    for line in lines:
        vkey = parse_vkey(line.split()[2])
        (signature,) = (item for item in note.signatures if (item.name, item.keyid) == (vkey.name, vkey.keyid))
        stamped = verify_signature(note, signature, vkey)
        assert stamped is not None
        assert stamped > 1_700_000_000


def test_it_stops_when_asked_to(found) -> None:
    running = Running(found("w3")[0])
    running.process.terminate()
    running.process.communicate(timeout=10)
    assert running.process.returncode == 0
