"""Tokens end: by their ids, by themselves, or all of a person, and what comes with one afterwards is told so."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from archive.models import AccessToken, User
from archive.services import access

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/submissions"


def tokens(*words: str) -> list[str]:
    """The lines that the command prints."""
    said = io.StringIO()
    call_command("tokens", *words, stdout=said)
    return said.getvalue().splitlines()


def asking(text: str, address: str = ADDRESS) -> tuple[int, str]:
    answer = Client(headers={"Authorization": f"Bearer {text}"}, REMOTE_ADDR="192.0.2.1").get(address)
    return answer.status_code, answer.json().get("detail", "")


@pytest.mark.parametrize("named_by", ["id", "text"])
def test_a_token_that_was_revoked_is_refused_in_words_and_others_are_not(named_by: str) -> None:
    text, token = access.create_token(user_name="ann", scopes=["read"])
    other, _ = access.create_token(user_name="ann", scopes=["read"])
    assert asking(text)[0] == asking(other)[0] == 200
    assert tokens("revoke", str(token.pk) if named_by == "id" else text) == [f"revoked {token.pk} of ann"]
    token.refresh_from_db()
    status, detail = asking(text)
    assert (status, asking(other)[0]) == (401, 200)
    assert f"the token was revoked at {token.revoked:%Y-%m-%d %H:%M} UTC; an administrator makes one" in detail


def test_a_token_for_metrics_that_was_revoked_is_told_so(settings) -> None:
    settings.CUSTOS_PUBLIC_URL = "https://archive.example.org"
    text, _ = access.create_token(user_name="prometheus", scopes=["metrics"])
    tokens("revoke", text)
    status, detail = asking(text, "/metrics")
    assert (status, "the token was revoked at " in detail) == (401, True)


def test_all_tokens_of_a_person_end_and_of_nobody_else() -> None:
    texts = [access.create_token(user_name=user, scopes=["read"])[0] for user in ("ann", "ann", "bob")]
    assert len(tokens("revoke", "--user", "ann")) == 2
    assert [asking(text)[0] for text in texts] == [401, 401, 200]


def test_one_that_ended_before_keeps_its_time() -> None:
    _, token = access.create_token(user_name="ann", scopes=["read"])
    tokens("revoke", str(token.pk))
    first = AccessToken.objects.get().revoked
    assert tokens("revoke", "--user", "ann") == []
    assert AccessToken.objects.get().revoked == first


def test_the_list_says_whose_a_token_is_what_it_may_and_whether_it_is_good() -> None:
    text, token = access.create_token(user_name="ann", scopes=["upload", "read"])
    access.create_token(user_name="bob", scopes=["read"])
    (line,) = tokens("list", "--user", "ann")
    assert line.split("\t")[:3] == [str(token.pk), "ann", "read,upload"]
    assert line.endswith("\tgood")
    assert text not in line
    tokens("revoke", text)
    assert [line.rpartition("\t")[2][:7] for line in tokens("list")] == ["revoked", "good"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["revoke"], "name the tokens by their ids"),
        (["revoke", "custos_x", "--user", "ann"], "name the tokens by their ids"),
        (["revoke", "custos_x"], "manage.py tokens list shows the ids"),
        (["revoke", "--user", "nobody"], "there is no user 'nobody'"),
    ],
)
def test_what_names_no_token_ends_none(words: list[str], said: str) -> None:
    text, _ = access.create_token(user_name="ann", scopes=["read"])
    with pytest.raises(CommandError, match=said) as refused:
        tokens(*words)
    assert "custos_x" not in str(refused.value)
    assert asking(text)[0] == 200


def test_a_token_of_a_person_who_has_left_is_refused_in_words() -> None:
    text, _ = access.create_token(user_name="ann", scopes=["read"])
    User.objects.update(is_active=False)
    assert asking(text) == (401, "the token's user has no access any more; ask an administrator")
