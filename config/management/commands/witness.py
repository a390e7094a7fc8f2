"""`manage.py witness …`: the same as `custos-witness …`, for those who have the service at hand."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from witness.cli import main


class Command(BaseCommand):
    help = "Make and run a witness for other newsrooms' logs; custos-witness does the same without this service."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(main(argv[2:], "manage.py witness"))

    def handle(self, *_: Any, **__: Any) -> None:
        """Never reached: all arguments are the witness's own."""
