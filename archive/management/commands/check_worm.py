"""Try to overwrite, delete and shadow on the real store, and say what held."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from archive.services.worm_check import stores_away, try_stores
from archive.storage.store import StoreError


class Command(BaseCommand):
    help = (
        "Try to overwrite, delete, shorten and shadow on the real stores; fails if one lets it happen, or none answers."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = try_stores()
        except StoreError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            keys = ("store", "attempt", "held", "binding", "said")
            self.stdout.write(json.dumps([{key: getattr(item, key) for key in keys} for item in found]))
        else:
            for item in found:
                word = "held" if item.held else "BROKEN" if item.binding else "not enforced"
                self.stdout.write(f"{word:13} {item.store}: {item.attempt}: {item.said}")
        for alarm in stores_away():
            self.stderr.write(f"away          {alarm.subject}: {alarm.text}")
        if any(item.binding and not item.held for item in found):
            raise CommandError("the store does not keep what it is given; evidence must not be put into it")
