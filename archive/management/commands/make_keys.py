"""Make the installation's keys and its log's origin, once; write the policy that auditors are given."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from archive import signing, wiring
from archive.models import Checkpoint


class Command(BaseCommand):
    help = "Make the keys of this installation (files of mode 0600) where there are none."

    def handle(self, *args: Any, **options: Any) -> None:
        missing = not (wiring.keys_folder() / "log-ed25519").exists()
        if missing and Checkpoint.objects.exists():
            raise CommandError(
                f"the ledger has signed checkpoints but {wiring.keys_folder()} lacks its keys: restore them from the "
                "backup; new keys would be another log"
            )
        for name in signing.make_keys(wiring.keys_folder(), wiring.wanted_origin()):
            self.stdout.write(f"made {name}")
        (wiring.home() / "policy.txt").write_text(wiring.policy())
