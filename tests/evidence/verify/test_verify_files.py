"""Files are told apart by name, then by content; what cannot be read is said."""

from __future__ import annotations

import json
import os

import pytest

from evidence.verify import audit as auditing
from evidence.verify import files
from evidence.verify.files import classify


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.receipt.json", b"nothing", "receipt"),
        ("a.result.attestation.json", b"", "attestation"),
        ("a.result.json", b"", "result"),
        ("a.sources.ndjson", b"", "sources"),
        ("a.disclosure.json", b"", "disclosure"),
        ("custos-keys.json", b"", "keys"),
        ("of 2026.checkpoint", b"", "checkpoint"),
        ("checkpoint", b"", "checkpoint"),
        ("a", b'{"format":"custos/receipt@1"}', "receipt"),
        ("a", b' {"format":"custos/result@1"}', "result"),
        ("a", b'{"format":"custos/keys@1"}', "keys"),
        ("a", b'{"format":"custos/parse-report@1"}', "raw"),
        ("a", b'{"format":["custos/receipt@1"]}', "raw"),
        ("a", b'{"payload":"","payloadType":""}', "attestation"),
        ("a", b'{"a":1}\n{"a":2}\n', "raw"),
        ("a", b"[1]", "raw"),
        ("a", b"{" * 3000, "raw"),
        ("a", b"c2sp.org/tlog-proof@v1\nindex 0\n", "proof"),
        ("a", "o\n1\nr\n\n— o sig\n".encode(), "checkpoint"),
        ("a", b"o\n1\nr\n\nno signature\n", "raw"),
        ("a.log", b"", "raw"),
    ],
)
def test_a_file_is_told_by_its_name_then_by_its_content(name, content, kind, tmp_path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert classify(path) == kind


@pytest.mark.parametrize("name", ["a.log", "a.receipt.json", "a.sources.ndjson"])
def test_a_file_that_cannot_be_read_is_wrong_and_named(name, tmp_path, check) -> None:
    path = tmp_path / name
    path.symlink_to(tmp_path / "gone")
    assert [(finding.code, finding.where) for finding in check(path).of("wrong")] == [("file-unreadable", name)]


@pytest.mark.parametrize("name", ["a.log", "a.receipt.json", "a.sources.ndjson", "checkpoint"])
def test_a_pipe_or_device_is_named_and_never_waited_for(name, tmp_path, check) -> None:
    os.mkfifo(tmp_path / name)
    assert [(finding.code, finding.got) for finding in check(tmp_path).of("wrong")] == [
        ("file-unreadable", "not a regular file")
    ]
    (tmp_path / "b" / name).parent.mkdir()
    (tmp_path / "b" / name).symlink_to("/dev/zero")
    assert {finding.code for finding in check(tmp_path / "b" / name).of("wrong")} == {"file-unreadable"}


def test_links_in_a_folder_are_named_and_not_followed(tmp_path, check) -> None:
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "away.log").symlink_to("/etc/hostname")
    found = check(tmp_path)
    assert {(finding.code, finding.where) for finding in found.of("unchecked")} >= {
        ("file-link", "round"), ("file-link", "away.log"),
    }  # fmt: skip
    assert not list(found.of("wrong"))


def test_a_folder_that_cannot_be_read_is_named(tmp_path, check, monkeypatch) -> None:
    shut = tmp_path / "shut"
    shut.mkdir()
    honest = os.scandir

    def scandir(path):
        if str(path) == str(shut):
            raise PermissionError(13, "Permission denied", str(shut))  # what root never meets
        return honest(path)

    monkeypatch.setattr(os, "scandir", scandir)
    (finding,) = check(tmp_path).of("wrong")
    assert (finding.code, finding.where, finding.got) == ("file-unreadable", str(shut), "Permission denied")


def test_a_raw_file_that_fails_while_it_is_read_is_wrong(tmp_path, check, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(auditing, "scan", fail)
    (tmp_path / "a.log").write_bytes(b"a")
    assert [finding.got for finding in check(tmp_path).of("wrong")] == ["Input/output error"]


def test_a_document_too_large_to_be_one_is_not_read(tmp_path, check, monkeypatch) -> None:
    monkeypatch.setattr(files, "DOCUMENT_LIMIT", 10)
    (tmp_path / "a.receipt.json").write_bytes(b"x" * 11)
    assert {finding.code for finding in check(tmp_path).of("wrong")} == {"file-too-large"}


@pytest.mark.parametrize("text", ["\ud800", "a"])
def test_text_that_is_no_text_is_refused(text, bundle, check) -> None:
    path = bundle / "source-1.receipt.json"
    receipt = json.loads(path.read_text())
    path.write_text(json.dumps(receipt | {"event": text}))
    assert check(bundle).exit_status == 1


@pytest.mark.parametrize("content", [b"\xff", b"", b"x\n\n" + "— a b\n".encode(), b"[" * 100_000])
@pytest.mark.parametrize(
    "name", ["checkpoint", "a.receipt.json", "a.attestation.json", "a.result.json", "a.disclosure.json", "a.keys.json"]
)
def test_junk_under_a_known_name_is_wrong_and_never_a_crash(name, content, tmp_path, check) -> None:
    (tmp_path / name).write_bytes(content)
    assert check(tmp_path).exit_status == 1
