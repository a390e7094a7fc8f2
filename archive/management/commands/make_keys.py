"""Make the installation's keys and its log's origin, once; introduce them; write the policy that auditors are given."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from archive import signing, wiring
from archive.models import Checkpoint
from archive.services import keys
from evidence.errors import SignatureError


class Command(BaseCommand):
    help = "Make the keys of this installation (files of mode 0600) where there are none, and tell the ledger of them."

    def handle(self, *args: Any, **options: Any) -> None:
        folder = wiring.keys_folder()
        begun = Checkpoint.objects.exists() or bool(keys.all_keys())
        if begun and not (folder / "origin").exists():
            raise CommandError(
                f"the ledger has signed checkpoints but {folder} lacks its keys: restore them from the backup; new "
                "keys would be another log"
            )
        try:
            if not begun:
                names = () if wiring.signer_command() else signing.KEY_NAMES
                for name in signing.make_keys(folder, wiring.wanted_origin(), names):
                    self.stdout.write(f"made {name}")
            for key in keys.introduce_keys():
                self.stdout.write(f"introduced {key.name}")
            keys.open_keys()
        except SignatureError as error:
            raise CommandError(str(error)) from error
        (wiring.home() / "policy.txt").write_text(wiring.policy())
