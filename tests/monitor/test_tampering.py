"""Whatever is changed in a ledger that the real code made is found, and named by a code of its own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from evidence.keys import Ed25519Signer, MlDsa44Signer
from evidence.log.checkpoint import parse_checkpoint
from evidence.log.note import parse_note
from evidence.log.proof import verify_consistency
from evidence.log.witness import WitnessKeys, parse_request
from monitor.cli import main
from tests.monitor.conftest import SIZES, Ledger, Look

ENTRY, HASH = 34, 32
ENTRIES, LEAVES, ROOTS = "tile/entries/001", "tile/0/001", "tile/1/000.p/2"
LAST_ENTRIES, LAST_LEAVES = "tile/entries/002.p/88", "tile/0/002.p/88"


def edit(path: Path, change) -> None:
    path.write_bytes(change(bytearray(path.read_bytes())))


def flip(at: int):
    def change(data: bytearray) -> bytes:
        data[at] ^= 1
        return bytes(data)

    return change


def swap(width: int, first: int, second: int):
    def change(data: bytearray) -> bytes:
        a, b = (slice(n * width, (n + 1) * width) for n in (first, second))
        data[a], data[b] = data[b], data[a]
        return bytes(data)

    return change


def test_a_ledger_that_the_service_made_holds(founded: Ledger, look: Look) -> None:
    for folder in founded.at.values():
        said = look(folder)
        assert (said.status, said.wrong, said.codes("unchecked")) == (0, set(), set()), said
        assert {"log-root", "checkpoint-signature", "checkpoint-time"} <= said.codes("ok")
    said = look(founded.at[SIZES[2]], "--since", founded.at[SIZES[0]] / "checkpoint")
    assert said.status == 0
    assert "checkpoint-consistency" in said.codes("ok")


def test_without_a_policy_nothing_is_wrong_and_keys_are_said_to_be_unchecked(founded: Ledger, look: Look) -> None:
    said = look(founded.at[SIZES[0]], policy=None)
    assert (said.status, said.codes("unchecked"), said.wrong) == (3, {"policy-absent"}, set())


def test_a_changed_entry(served: Path, look: Look) -> None:
    edit(served / ENTRIES, flip(ENTRY * 7 + 20))
    said = look(served)
    assert (said.status, said.wrong) == (1, {"tile-entries", "tile-hashes", "log-root"})
    assert said.of("tile-entries")[0]["message"] == "leaf 263 is not the hash of its entry"


def test_a_changed_leaf_hash(served: Path, look: Look) -> None:
    edit(served / LEAVES, flip(HASH * 7))
    said = look(served)
    assert (said.status, said.wrong) == (1, {"tile-entries"})
    assert said.of("tile-entries")[0]["where"] == LEAVES


def test_swapped_leaves(served: Path, look: Look) -> None:
    edit(served / ENTRIES, swap(ENTRY, 3, 4))
    edit(served / LEAVES, swap(HASH, 3, 4))
    said = look(served)
    assert (said.status, said.wrong) == (1, {"tile-hashes", "log-root"})
    assert said.of("tile-hashes")[0]["message"].startswith("hash 1 of the tile")


def test_a_removed_leaf(served: Path, look: Look) -> None:
    def remove(width: int):
        return lambda data: bytes(data[: 5 * width] + data[6 * width :] + data[5 * width : 6 * width])

    edit(served / LAST_ENTRIES, remove(ENTRY))
    edit(served / LAST_LEAVES, remove(HASH))
    assert (look(served).status, look(served).wrong) == (1, {"log-root"})


def test_a_removed_leaf_leaves_a_short_tile(served: Path, look: Look) -> None:
    edit(served / ENTRIES, lambda data: bytes(data[:-ENTRY]))
    edit(served / LEAVES, lambda data: bytes(data[:-HASH]))
    said = look(served)
    assert (said.status, said.wrong, said.codes("unchecked")) == (1, {"tile-short"}, {"log-root"})


def test_a_truncated_bundle_alone(served: Path, look: Look) -> None:
    edit(served / ENTRIES, lambda data: bytes(data[:-5]))
    assert look(served).wrong == {"tile-short"}


def test_a_changed_tile_above_level_0(served: Path, look: Look) -> None:
    edit(served / ROOTS, flip(HASH + 3))
    said = look(served)
    assert (said.status, said.wrong) == (1, {"tile-hashes"})
    assert said.of("tile-hashes")[0]["where"] == ROOTS


def test_entries_that_are_garbage(served: Path, look: Look) -> None:
    edit(served / ENTRIES, lambda data: b"\xff" * len(data))
    assert look(served).wrong == {"tile-format"}


def test_a_tile_that_is_too_large(served: Path, look: Look) -> None:
    edit(served / LEAVES, lambda data: bytes(data) + b"x" * (1 << 20))
    assert look(served).wrong == {"answer-too-large"}


def test_a_tile_that_is_missing(served: Path, look: Look) -> None:
    (served / ROOTS).unlink()
    assert (look(served).status, look(served).wrong) == (1, {"tile-missing"})
    (served / LEAVES).unlink()
    assert look(served).wrong == {"tile-missing"}
    (served / ENTRIES).unlink()
    said = look(served)
    assert (said.wrong, said.codes("unchecked")) == ({"tile-missing"}, {"log-root"})


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe", b"a\n1\nAAAA\n\n", b"x" * 70_000])
def test_a_checkpoint_that_is_garbage(served: Path, look: Look, content: bytes) -> None:
    (served / "checkpoint").write_bytes(content)
    said = look(served)
    assert said.status == 1
    assert said.wrong == ({"answer-too-large"} if len(content) > 65_536 else {"checkpoint-format"})


def test_a_wrong_signature_of_either_kind(served: Path, look: Look) -> None:
    note = (served / "checkpoint").read_text()
    for number in (1, 2):
        lines = note.split("\n")
        at = len(lines) - 1 - number
        lines[at] = lines[at][:-20] + ("A" if lines[at][-20] != "A" else "B") + lines[at][-19:]
        (served / "checkpoint").write_text("\n".join(lines))
        assert (look(served).status, look(served).wrong) == (1, {"checkpoint-signature"})
        del lines[at]
        (served / "checkpoint").write_text("\n".join(lines))
        assert look(served).wrong == {"checkpoint-signature"}


def test_a_checkpoint_that_says_another_size(served: Path, look: Look) -> None:
    edit(served / "checkpoint", lambda data: bytes(data).replace(b"\n600\n", b"\n599\n"))
    assert look(served).wrong == {"checkpoint-signature"}


def test_a_checkpoint_of_another_origin(served: Path, founded: Ledger, look: Look, keep: Path) -> None:
    assert look(served, "--keep", keep).status == 0
    origin = (served / "checkpoint").read_text().split("\n")[0]
    edit(served / "checkpoint", lambda data: bytes(data).replace(origin.encode(), b"other.example/log"))
    said = look(served, "--keep", keep)
    assert (said.status, said.wrong) == (1, {"checkpoint-origin"})
    assert look(served, "--keep", keep, policy=None).wrong == {"checkpoint-origin"}
    since = founded.at[SIZES[0]] / "checkpoint"
    assert look(served, "--since", since, policy=None).wrong == {"checkpoint-origin"}


def test_a_missing_cosignature_below_the_quorum(served: Path, founded: Ledger, look: Look, tmp_path: Path) -> None:
    keys = WitnessKeys("w.example/1", Ed25519Signer(b"1" * 32), MlDsa44Signer(b"1" * 32))
    plain, quantum = keys.vkeys
    lines = f"witness w {plain}\nwitness wq {quantum}\ngroup both all w wq\nquorum both\n"
    policy = tmp_path / "policy.txt"
    policy.write_text(founded.policy.read_text().replace("quorum none\n", lines))
    said = look(served, policy=policy)
    assert (said.status, said.wrong) == (1, {"checkpoint-quorum"})
    note = (served / "checkpoint").read_text()
    cosigned = keys.cosign(parse_checkpoint(parse_note(note).text), 1_793_491_200)
    (served / "checkpoint").write_text(note + cosigned)
    said = look(served, policy=policy)
    assert said.status == 0
    assert "w 2026-" in said.of("checkpoint-time")[0]["message"]
    (served / "checkpoint").write_text(note + cosigned.split("\n")[0] + "\n")
    assert look(served, policy=policy).wrong == {"checkpoint-quorum"}


def test_a_kept_log_is_read_on_from_where_it_was_left(founded: Ledger, look: Look, keep: Path, tmp_path: Path) -> None:
    for size in SIZES:
        folder = Path(shutil.copytree(founded.at[size], tmp_path / str(size)))
        if size > SIZES[0]:  # whatever was read before is not asked for again
            (folder / "tile/entries/000").unlink()
            (folder / "tile/0/000").unlink()
        said = look(folder, "--keep", keep)
        assert (said.status, said.wrong) == (0, set())
        assert json.loads((keep / "seen.json").read_text())["checkpoint"] == (folder / "checkpoint").read_text()
        assert look(folder, "--keep", keep).status == 0  # it stands still
    assert look(folder, "--keep", keep, "--again").wrong == {"tile-missing"}
    assert look(founded.at[SIZES[2]], "--keep", keep, "--again").status == 0
    since = founded.at[SIZES[0]] / "checkpoint"  # older than what is kept
    assert look(founded.at[SIZES[2]], "--keep", keep, "--since", since).status == 0


def test_leaves_that_changed_since_they_were_seen(founded: Ledger, look: Look, keep: Path, tmp_path: Path) -> None:
    assert look(founded.at[SIZES[0]], "--keep", keep).status == 0
    folder = Path(shutil.copytree(founded.at[SIZES[1]], tmp_path / "changed"))
    edit(folder / ENTRIES, flip(20))
    edit(folder / LEAVES, flip(3))
    said = look(folder, "--keep", keep)
    assert "tile-changed" in said.wrong
    assert said.of("tile-changed")[0]["message"] == "leaf 256 is another than was seen before"
    assert "checkpoint-consistency" in said.codes("ok")  # the log signed no fork: it is the tile that is wrong
    assert look(founded.at[SIZES[1]], "--keep", keep).status == 0


def evidence(keep: Path) -> dict[str, dict[str, bytes]]:
    return {
        folder.name: {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (keep / "evidence").iterdir()
    }


def test_a_ledger_that_was_rolled_back(founded: Ledger, look: Look, keep: Path) -> None:
    since = founded.at[SIZES[1]] / "checkpoint"
    said = look(founded.at[SIZES[0]], "--since", since)
    assert (said.status, said.wrong) == (1, {"log-shrunk"})
    assert look(founded.at[SIZES[1]], "--keep", keep).status == 0
    said = look(founded.at[SIZES[0]], "--keep", keep)
    assert (said.status, said.wrong) == (1, {"log-shrunk", "log-evidence"})
    assert [re.sub("[0-9a-f]{16}$", "", name) for name in evidence(keep)] == ["shrunk-600-300-"]
    assert json.loads((keep / "seen.json").read_text())["checkpoint"] == since.read_text()


def test_two_roots_of_one_size(founded: Ledger, look: Look, keep: Path, capsys) -> None:
    assert look(founded.at[SIZES[1]], "--keep", keep).status == 0
    said = look(founded.forked_at_one_size, "--keep", keep)
    assert (said.status, said.wrong) == (1, {"log-fork", "log-evidence"})
    ((name, files),) = evidence(keep).items()
    assert name.startswith("forked-600-600-")
    assert files["first.checkpoint"] == (founded.at[SIZES[1]] / "checkpoint").read_bytes()
    assert files["second.checkpoint"] == (founded.forked_at_one_size / "checkpoint").read_bytes()
    assert b"the two\nsignatures alone prove it" in files["README"]
    assert files["README"].count(b"signed with every key of the log in the policy") == 2
    assert main([str(keep / "evidence" / name), "--policy", str(founded.policy)]) == 1  # anybody sees it from the files
    assert "two histories" in capsys.readouterr().out


@pytest.mark.parametrize("more", [(), ("--again",)])
def test_a_fork_is_proved_kept_and_told_each_time(founded: Ledger, look: Look, keep: Path, more) -> None:
    assert look(founded.at[SIZES[1]], "--keep", keep).status == 0
    said = look(founded.forked, "--keep", keep, *more)
    assert said.status == 1
    assert {"log-fork", "log-evidence"} <= said.wrong
    before = evidence(keep)
    ((name, files),) = before.items()
    assert name.startswith("forked-600-750-")
    request = parse_request(files["proof"])
    first, second = (parse_checkpoint(parse_note(files[f"{n}.checkpoint"]).text) for n in ("first", "second"))
    root = bytes.fromhex(re.search(rb"\n    ([0-9a-f]{64})\n", files["README"])[1].decode())
    verify_consistency(request.old, second.size, root, second.root, request.hashes)
    assert request.old == first.size and root != first.root
    again = look(founded.forked, "--keep", keep, *more)
    assert {"log-fork", "log-evidence"} <= again.wrong
    assert evidence(keep) == before
    honest = look(founded.at[SIZES[2]], "--keep", keep)
    assert (honest.status, honest.wrong) == (1, {"log-evidence"})
    shutil.rmtree(keep / "evidence")
    assert look(founded.at[SIZES[2]], "--keep", keep).status == 0


def test_a_fork_against_a_checkpoint_that_the_caller_kept(founded: Ledger, look: Look) -> None:
    said = look(founded.forked, "--since", founded.at[SIZES[1]] / "checkpoint")
    assert (said.status, said.wrong) == (1, {"log-fork"})


def test_cron_hears_nothing_while_all_is_well(founded: Ledger, served: Path, keep: Path, capsys) -> None:
    arguments = ["log", str(served), "--policy", str(founded.policy), "--keep", str(keep), "--quiet"]
    assert main(arguments) == 0
    assert capsys.readouterr() == ("", "")
    edit(served / ROOTS, flip(0))
    assert main([*arguments, "--again"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("wrong     tile-hashes §3  tile/1/000.p/2: ")
