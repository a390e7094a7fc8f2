"""Make a one-time sign-in link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from archive import wiring
from archive.services import access
from archive.services.refusals import Refusal

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Make a link that lets a user in once, within a day; the user is made if there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True)
        parser.add_argument("--auditor", action="store_true")
        parser.add_argument("--administrator", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = access.ensure_user(
                user_name=options["user"], auditor=options["auditor"], administrator=options["administrator"]
            )
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(wiring.public_url() + access.create_sign_in_link(user=user))
