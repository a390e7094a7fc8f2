"""Many record in one case while what it asks of the stores is changed: nobody waits for whoever waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket
ROUNDS = 25
SET_UP = """
import time
from django.db import transaction
from archive.models import Case, User
from archive.services import access, keeping
from archive.services.custody import record_event
case = Case.objects.get()
"""
RECORD = f"""{SET_UP}
for n in range({ROUNDS}):
    with transaction.atomic():
        keeping.note_stored(Case.objects.get(), there_before=[])
        record_event(case=case, type="access", objects=[], detail={{"n": n}})
        time.sleep(0.02)  # so that others come in between
        other = Case.objects.get()
        other.hold = not other.hold
        keeping.note_stored(other, there_before=[])
        time.sleep(0.02)
"""
CHANGE = f"""{SET_UP}
ann = access.principal_of(User.objects.get(username="ann"))
for n in range({ROUNDS}):
    keeping.change_keeping(principal=ann, case=case, copies=1, retain_until=None, hold=bool(n % 2))
    keeping.settle_keeping(Case.objects.get(), seen=0)
"""


def test_recorders_and_who_changes_what_the_case_asks_meet_in_no_deadlock(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(2)
        running = [scratch.start(code) for code in (RECORD, RECORD, CHANGE, CHANGE)]
        said = [process.communicate()[1] for process in running]
        assert [process.returncode for process in running] == [0, 0, 0, 0], said
        ((told,),) = scratch.rows("SELECT count(*) FROM archive_custodyevent WHERE type = 'access'")
        assert told == 2 * ROUNDS
