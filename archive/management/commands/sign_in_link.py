"""Make a one-time sign-in link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from archive import wiring
from archive.services import access
from archive.services.refusals import Refusal

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from archive.models import User


class Command(BaseCommand):
    help = "Make a link that lets a user in once, within a day; --new, --auditor, --administrator make the user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True)
        parser.add_argument("--new", action="store_true", help="make the user if there is none of the name")
        parser.add_argument("--auditor", action="store_true", help="with the right to read every case")
        parser.add_argument("--administrator", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = _user(options["user"], **{name: options[name] for name in ("new", "auditor", "administrator")})
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(wiring.public_url() + access.create_sign_in_link(user=user))


def _user(name: str, *, new: bool, auditor: bool, administrator: bool) -> User:
    """A name that was mistyped makes nobody. Raises `BadInput`."""
    if new or auditor or administrator:
        return access.ensure_user(user_name=name, auditor=auditor, administrator=administrator)
    return access.known_user(name)
