"""Many writers and many sequencers on one database: one gap-free tree, each checkpoint continuing the last."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.log.proof import consistency_proof, verify_consistency
from tests.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket
PROCESSES, ROUNDS, EVENTS = 4, 8, 5
WRITE = f"""
from archive.models import Case
from archive.services.custody import record_event
from archive.services.sequencing import sequence_pending
from django.db import transaction
case = Case.objects.get()
for _ in range({ROUNDS}):
    with transaction.atomic():
        for n in range({EVENTS}):
            record_event(case=case, type="access", objects=[], detail={{"n": n}})
    sequence_pending()
"""
WRITERS, SEQUENCERS, TIMES, KILLS = 8, 3, 40, 40
CRASH = f"""
import datetime as dt, os, random, signal, time
from django.db import transaction
from django.utils import timezone
from archive.models import Case
from archive.services.custody import record_event
from archive.services.sequencing import sequence_pending

def write(writer):
    real, day = timezone.now, dt.timedelta(days=1)
    case = Case.objects.get()
    for n in range({TIMES}):
        if n == {TIMES} // 2 and writer % 2:
            timezone.now = lambda: real() - day  # somebody sets the clock back
        try:
            with transaction.atomic():
                record_event(case=case, type="access", objects=[], detail={{"writer": writer, "n": n}})
                if n % 5 == 4:  # its serial number is lost, and somebody is in between
                    record_event(case=case, type="access", objects=[], detail={{"writer": writer, "n": -1}})
                    raise InterruptedError
        except InterruptedError:
            record_event(case=case, type="access", objects=[], detail={{"writer": writer, "n": n}})

def sequence(_):
    while True:
        sequence_pending()
        time.sleep(0.002)

def fork(work, number):
    pid = os.fork()
    if pid == 0:
        try:
            work(number)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

writers = [fork(write, n) for n in range({WRITERS})]
sequencers = [fork(sequence, n) for n in range({SEQUENCERS})]
kills, codes = 0, []
while kills < {KILLS} or writers:
    time.sleep(random.uniform(0.01, 0.2))
    victim = random.choice(sequencers)
    os.kill(victim, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1]) == -signal.SIGKILL
    sequencers[sequencers.index(victim)] = fork(sequence, 0)
    kills += 1
    for writer in list(writers):
        pid, status = os.waitpid(writer, os.WNOHANG)
        if pid:
            writers.remove(writer)
            codes.append(os.waitstatus_to_exitcode(status))
for pid in sequencers:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
print(kills, *codes)
"""
SHOW = """
import json
from archive import wiring
from archive.models import Checkpoint, CustodyEvent, Leaf, PendingLeaf
print(json.dumps({
    "policy": wiring.policy(),
    "leaves": [[row.index, bytes(row.hash).hex(), bytes(row.event.commitment).hex(), json.loads(row.event.text)]
               for row in Leaf.objects.order_by("index").select_related("event")],
    "checkpoints": [[row.size, bytes(row.root).hex(), row.note] for row in Checkpoint.objects.order_by("size")],
    "pending": PendingLeaf.objects.count(),
    "events": CustodyEvent.objects.count(),
}))
"""


def test_sequencers_at_once_make_one_tree(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(1)
        writers = [scratch.start(WRITE) for _ in range(PROCESSES)]
        ended = [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers]
        assert [code for _said, code in ended] == [0] * PROCESSES, ended
        found = json.loads(scratch.python(SHOW))
    assert found["events"] > PROCESSES * ROUNDS * EVENTS
    check(found)


def test_sequencers_killed_at_any_moment_leave_a_tree_that_goes_on(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(1)
        kills, *codes = scratch.python(CRASH).split()
        assert int(kills) >= KILLS
        assert codes == ["0"] * WRITERS
        scratch.add_events(1)  # by whoever comes next, in the same way
        found = json.loads(scratch.python(SHOW))
        assert "all fit" in scratch.manage("check_ledger")
    check(found)
    told = [event["detail"] for *_, event in found["leaves"] if "writer" in event["detail"]]
    assert len(told) == WRITERS * TIMES
    for writer in range(WRITERS):
        assert [each["n"] for each in told if each["writer"] == writer] == list(range(TIMES))


def check(found: dict[str, Any]) -> None:
    """No gap, each event once, nothing left, and every checkpoint signed and a continuation of the one before."""
    leaves = [bytes.fromhex(leaf) for _index, leaf, *_ in found["leaves"]]
    assert [index for index, *_ in found["leaves"]] == list(range(len(leaves)))
    assert (len(leaves), found["pending"]) == (found["events"], 0)
    assert [leaf_hash(bytes.fromhex(entry)) for _index, _leaf, entry, _event in found["leaves"]] == leaves
    assert len({event["id"] for *_, event in found["leaves"]}) == len(set(leaves)) == len(leaves)
    policy, rows = parse_policy(found["policy"]), found["checkpoints"]
    assert rows[-1][0] == len(leaves)
    for size, root, note in rows:
        assert root == tree_root(leaves[:size]).hex()
        assert problems(policy, parse_note(note)) == []
    for (old, old_root, _), (new, new_root, _) in pairwise(rows):
        assert old < new
        proof = consistency_proof(old, new, lambda start, stop: tree_root(leaves[start:stop]))
        verify_consistency(old, new, bytes.fromhex(old_root), bytes.fromhex(new_root), proof)
