"""The access tokens that there are, and their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from archive.services import access
from archive.services.custody import rfc3339
from archive.services.refusals import Refusal

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from archive.models import AccessToken


class Command(BaseCommand):
    help = "List access tokens; revoke some by their ids or texts, or all of a user (docs/api.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("list", "revoke"))
        parser.add_argument("tokens", nargs="*", metavar="TOKEN", help="an id, as list shows it, or the token itself")
        parser.add_argument("--user", default="", help="of this user only; with revoke, all of theirs")

    def handle(self, *args: Any, **options: Any) -> None:
        what, named, user = options["what"], options["tokens"], options["user"]
        if what == "revoke" and bool(named) == bool(user):
            raise CommandError("tokens revoke: name the tokens by their ids, or with --user NAME all of a user")
        try:
            found = [access.known_token(each) for each in named] if named else access.tokens_of(user)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        if what == "revoke":
            self._revoke(found)
        else:
            for token in found:
                self.stdout.write(_line(token))

    def _revoke(self, tokens: list[AccessToken]) -> None:
        for token in access.revoke_tokens(tokens):
            self.stdout.write(f"revoked {token.pk} of {token.user.username}")


def _line(token: AccessToken) -> str:
    state = f"revoked {rfc3339(token.revoked)}" if token.revoked else "good"
    return f"{token.pk}\t{token.user.username}\t{','.join(token.scopes)}\tmade {rfc3339(token.created)}\t{state}"
