"""The keys of this installation: list them, make the next ones known, replace them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from archive import wiring
from archive.models.key import LOG
from archive.services import keys
from archive.services.refusals import Refusal
from evidence.errors import EvidenceError
from evidence.opening import KEY_REVOCATION, KEY_ROTATION

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from archive.models import KeyVersion

_EVENTS = {"rotate": KEY_ROTATION, "revoke": KEY_REVOCATION}


class Command(BaseCommand):
    help = "List keys; prepare, rotate or revoke both keys of a purpose (docs/keys.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("list", "prepare", "rotate", "revoke"))
        parser.add_argument("--purpose", choices=keys.PURPOSES, help="log: checkpoints; dsse: statements")
        parser.add_argument("--reason", default="", help="stands in the ledger, for everybody to read")

    def handle(self, *args: Any, **options: Any) -> None:
        what, purpose = options["what"], options["purpose"]
        if what != "list" and purpose is None:
            raise CommandError(f"keys {what}: say which with --purpose log or --purpose dsse")
        try:
            if what == "list":
                self._list()
            elif what == "prepare":
                self._show_new(keys.prepare_keys(purpose=purpose), purpose)
            else:
                self._replace(what, purpose, options["reason"])
        except (EvidenceError, Refusal) as error:
            raise CommandError(str(error)) from error

    def _list(self) -> None:
        for key in keys.all_keys():
            end = f"{key.end.status} at {key.end.last}: {key.end.reason}" if hasattr(key, "end") else "in force"
            self.stdout.write(f"{key.name}\t{key.keyid}\t{key.holder}\tafter size {key.after}\t{end}")

    def _replace(self, what: str, purpose: str, reason: str) -> None:
        new = keys.replace_keys(
            purpose=purpose, event_type=_EVENTS[what], reason=reason or ("planned" if what == "rotate" else "")
        )
        (wiring.home() / "policy.txt").write_text(wiring.policy())
        self._show_new(new, purpose)
        self.stdout.write(f"in force for everything after size {new[0].after}")

    def _show_new(self, new: list[KeyVersion], purpose: str) -> None:
        for key in new:
            self.stdout.write(f"{key.name}\t{key.keyid}")
        if purpose == LOG:
            self.stdout.write(wiring.log_lines(new))
