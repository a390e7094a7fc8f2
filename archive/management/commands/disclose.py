"""Disclose some lines or records of a sealed file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from archive.models import User
from archive.services import access, disclosing, finding
from archive.services.refusals import Refusal
from archive.storage.store import StoreError
from evidence.errors import EvidenceError

if TYPE_CHECKING:
    import uuid
    from argparse import ArgumentParser

    from archive.models import Run

_MOST = 100_000


class Command(BaseCommand):
    help = "Write a disclosure: a few lines of a sealed file with proof, the others staying hidden."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, help="who discloses: a member of the case")
        parser.add_argument("--blob", required=True, help="sha256:… of the file")
        parser.add_argument("--case", default="", help="the case's name or id; with --lines")
        parser.add_argument("--lines", default="", help="numbers from 1, as 5,7-9; records of a binary format likewise")
        parser.add_argument("--finding", nargs=2, metavar=("RESULT", "NAME"), help="all lines that carry this number")
        parser.add_argument("--out", type=Path, required=True, help="where to write it, as FILE.disclosure.json")

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_place(options["out"])
        try:
            data = _disclosure(options)
            options["out"].write_bytes(data)
        except (Refusal, EvidenceError, StoreError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['out']}: check it with custos-verify {options['out']} --policy YOUR-POLICY")


def _refuse_place(out: Path) -> None:
    """Before anything is done: that lines went out is in the custody for good, so they have to be able to go."""
    if out.is_dir() or not os.access(out if out.exists() else out.parent, os.W_OK):
        raise CommandError(f"--out {out}: name a file that can be written, in a folder that is there")


def _disclosure(options: dict[str, Any]) -> bytes:
    user = User.objects.filter(username=options["user"]).first()
    if user is None:
        raise CommandError(f"there is no user {options['user']!r}")
    who = access.principal_of(user)
    blob = finding.blob(who, options["blob"])
    if bool(options["finding"]) == bool(options["lines"]):
        raise CommandError("write either --lines with --case, or --finding RESULT NAME")
    if options["finding"]:
        result, name = options["finding"]
        return disclosing.disclose_finding(principal=who, run=_run(who, result), name=name, blob=blob)
    case = access.visible_case(who, options["case"])
    return disclosing.disclose_units(principal=who, case=case, blob=blob, numbers=_numbers(options["lines"]))


def _run(who: access.Principal, text: str) -> Run:
    identifier: uuid.UUID | None = access.as_uuid(text)
    if identifier is None:
        raise CommandError(f"--finding {text!r}: write the id of a result")
    return finding.run(who, identifier)


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        spans = re.fullmatch(r"([1-9][0-9]{0,17})(?:-([1-9][0-9]{0,17}))?", part.strip())
        first, last = (int(spans[1]), int(spans[2] or spans[1])) if spans else (1, 0)
        if last < first or last - first >= _MOST:
            raise CommandError(f"--lines {part!r}: write numbers from 1, as 5,7-9, at most {_MOST} of them")
        found += range(first, last + 1)
    return found
