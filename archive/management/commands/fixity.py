"""Re-hash blobs by hand."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from archive.models import Fixity
from archive.services import fixity
from archive.services.manifests import check_manifests
from archive.storage.store import WHOLE

_AGAIN, _TOLD_EVERY = 5.0, 10.0  # seconds


class Command(BaseCommand):
    help = (
        "Read and hash every copy of every blob, the one longest unseen first; mends what it can. "
        "What was cut off goes on where it was. Waits for a scheduled round to end, and none begins meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than-days", type=float, default=0.0, help="only what was not seen for so long")
        parser.add_argument("--mib-per-second", type=int, default=0, help="read no faster; 0 is as fast as it goes")

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            with fixity.one_round() as alone:
                if alone:
                    self._check(options)
                    return
            self.stderr.write("another round is going on; this one begins when it has ended")
            time.sleep(_AGAIN)

    def _check(self, options: dict[str, Any]) -> None:
        due = fixity.due_blobs(timezone.now() - dt.timedelta(days=options["older_than_days"]))
        blobs, bad = list(due), 0
        manifests: list[str] = []
        pace = fixity.Pace(options["mib_per_second"] << 20)
        for number, blob in enumerate(blobs, 1):
            while (row := fixity.go_on(blob, pace, time.monotonic() + _TOLD_EVERY)) is None:
                seen = Fixity.objects.get(blob=blob).seen
                self.stdout.write(f"{number}/{len(blobs)} {blob.digest}: {seen} segments of it are whole")
            bad += row.state not in (WHOLE, fixity.DEACCESSIONED)
            said = f" {row.said}" if row.said else ""
            self.stdout.write(f"{number}/{len(blobs)} {blob.digest} {blob.size} bytes: {row.state}{said}")
            manifests += check_manifests(blob)
        for said in manifests:
            self.stderr.write(said)
        if bad:
            raise CommandError(f"{bad} of {len(blobs)} blobs are not whole; the lines above name them")
        if manifests:
            raise CommandError(f"all {len(blobs)} blobs are accounted for, {len(manifests)} manifests are not right")
        self.stdout.write(f"all {len(blobs)} are accounted for")
