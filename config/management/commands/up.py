"""Start everything on this machine and stay until Ctrl-C."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.embedded.supervisor import Installation, StartError, run


class Command(BaseCommand):
    help = "Start PostgreSQL, the web server and the worker under CUSTOS_HOME; Ctrl-C stops all of it."
    requires_system_checks: list[str] = []  # noqa: RUF012 -- Django's own way to say it; there is no database yet

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run(Installation(settings.CUSTOS_HOME, settings.CUSTOS_PORT))
        except StartError as error:
            raise CommandError(str(error)) from error
