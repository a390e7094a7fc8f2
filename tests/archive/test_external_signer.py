"""An external signer holds the keys: the archive asks it, believes nothing unverified, and says what goes wrong."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import pytest

from archive import signing, wiring
from archive.models import Alarm, KeyVersion
from archive.services import access, custody, keys, sequencing
from archive.signing import CommandSigner
from config import env
from evidence.errors import SignatureError
from evidence.keys import verify
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems

PROGRAM = Path(__file__).with_name("external_signer.py")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Where the signer keeps its keys."""
    folder = tmp_path / "module"
    folder.mkdir()
    for number in (1, 2):
        for purpose in ("log", "dsse"):
            for algorithm in signing.ALGORITHMS:
                name = f"{purpose}-{algorithm}" + ("-2" if number == 2 else "")
                (folder / name).write_text(secrets.token_hex(32))
    return folder


def command(module: Path, manner: str = "well") -> list[str]:
    return [sys.executable, str(PROGRAM), str(module), manner]


@pytest.mark.parametrize("algorithm", signing.ALGORITHMS)
def test_it_is_asked_and_its_signature_holds(module: Path, algorithm: str) -> None:
    signer = CommandSigner(command(module), f"log-{algorithm}", algorithm)
    verify(algorithm, signer.public, signer.sign(b"a message\n\0"), b"a message\n\0")


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("wrongly", "gave a signature that does not hold"),
        ("not at all", "ended with 1 and said: the module is locked"),
        ("in no JSON", "answers no JSON: b'signed"),
        ("as a list", "answers no JSON object"),
        ("without it", "answers without a signature in base64"),
    ],
)
def test_whatever_it_answers_wrongly_is_said(module: Path, manner: str, said: str) -> None:
    signer = CommandSigner(command(module, manner), "log-ed25519", "ed25519")
    with pytest.raises(SignatureError, match=said) as caught:
        signer.sign(b"a message")
    assert "key log-ed25519; CUSTOS_SIGNER, docs/keys.md" in str(caught.value)


def test_one_that_does_not_answer_is_given_up(module: Path, monkeypatch) -> None:
    signer = CommandSigner(command(module, "slowly"), "log-ed25519", "ed25519")
    monkeypatch.setattr(signing, "_TIMEOUT", 1.0)
    with pytest.raises(SignatureError, match="gave no answer in 1 seconds"):
        signer.sign(b"a message")


def test_a_key_it_lacks_and_a_program_that_is_gone_are_said(module: Path) -> None:
    with pytest.raises(SignatureError, match="says 'no key log-ed25519-9 in this module'"):
        CommandSigner(command(module), "log-ed25519-9", "ed25519")
    with pytest.raises(SignatureError, match="cannot be started"):
        CommandSigner([str(module / "none")], "log-ed25519", "ed25519")


def test_the_setting_is_a_command_that_can_be_started(monkeypatch) -> None:
    monkeypatch.setenv("CUSTOS_SIGNER", "sh -c 'exit 1'")
    assert env.signer() == ["sh", "-c", "exit 1"]
    for value in ("/nowhere/signer", "sh 'unclosed"):
        monkeypatch.setenv("CUSTOS_SIGNER", value)
        with pytest.raises(env.ImproperlyConfigured, match="CUSTOS_SIGNER"):
            env.signer()


@pytest.mark.django_db
def test_keys_move_from_files_to_the_signer_by_a_rotation(module: Path, settings) -> None:
    case = access.ensure_case(principal=access.principal_of(access.ensure_user(user_name="ann")), reference="a")
    keys.introduce_keys()
    settings.CUSTOS_SIGNER = command(module)
    custody.record_event(case=case, type="access", objects=[], detail={})
    sequencing.sequence_pending()  # the files' keys are in force still
    new = keys.replace_keys(purpose="log", event_type="key rotation", reason="into the module")
    assert {key.holder for key in new} == {KeyVersion.Holder.COMMAND}
    assert not (wiring.keys_folder() / "log-ed25519-2").exists()
    note = parse_note(sequencing.latest_checkpoint().note)
    assert problems(parse_policy(wiring.policy()), note) == []
    settings.CUSTOS_SIGNER = command(module, "not at all")
    wiring._signer.cache_clear()
    custody.record_event(case=case, type="access", objects=[], detail={})
    with pytest.raises(SignatureError, match="the module is locked"):
        sequencing.sequence_pending()
    assert "the module is locked" in Alarm.objects.get(kind=sequencing.STOPPED).text
    settings.CUSTOS_SIGNER = []
    wiring._signer.cache_clear()
    with pytest.raises(SignatureError, match="name its command in CUSTOS_SIGNER"):
        sequencing.sequence_pending()
