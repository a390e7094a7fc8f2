"""`manage.py check_ledger`: every row of the ledger looked at again, and the database against what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from archive.services import ledger_check
from evidence.errors import EvidenceError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Recompute the ledger from its events; name each row that does not fit."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--start", action="store_true", help="only compare with what was published")

    def handle(self, *_: Any, **said: Any) -> None:
        try:
            if said["start"]:
                for silent in ledger_check.check_start():
                    self.stderr.write(f"a witness could not be asked: {silent}")
                return
            report = ledger_check.check_ledger()
        except EvidenceError as error:
            raise CommandError(str(error)) from error
        for notice in report.notices:
            self.stdout.write(notice)
        for problem in report.problems:
            self.stderr.write(problem)
        looked = f"{report.events} events, {report.leaves} leaves, {report.checkpoints} checkpoints"
        if report.problems:
            raise CommandError(f"{looked}: {len(report.problems)} things do not fit")
        self.stdout.write(f"{looked}: all fit")
