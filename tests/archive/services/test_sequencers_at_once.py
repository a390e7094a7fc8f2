"""Many writers and many sequencers on one database: one gap-free tree, each checkpoint continuing the last."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from evidence.log.hashing import leaf_hash, tree_root
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
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
SHOW = """
import json
from archive import wiring
from archive.models import Checkpoint, CustodyEvent, Leaf
print(json.dumps({
    "policy": wiring.policy(),
    "leaves": [[row.index, bytes(row.hash).hex(), bytes(row.event.commitment).hex()]
               for row in Leaf.objects.order_by("index").select_related("event")],
    "checkpoints": [[row.size, bytes(row.root).hex(), row.note] for row in Checkpoint.objects.order_by("size")],
    "pending": CustodyEvent.objects.filter(leaf=None).count(),
}))
"""


def test_sequencers_at_once_make_one_tree(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        scratch.with_log(1)
        writers = [scratch.start(WRITE) for _ in range(PROCESSES)]
        ended = [(writer.communicate(timeout=120)[1], writer.returncode) for writer in writers]
        assert [code for _said, code in ended] == [0] * PROCESSES, ended
        found = json.loads(scratch.python(SHOW))
    leaves = [bytes.fromhex(leaf) for _index, leaf, _entry in found["leaves"]]
    assert [index for index, *_ in found["leaves"]] == list(range(len(leaves)))
    assert len(leaves) >= PROCESSES * ROUNDS * EVENTS
    assert found["pending"] == 0
    assert [leaf_hash(bytes.fromhex(entry)) for *_, entry in found["leaves"]] == leaves
    assert len({hashlib.sha256(leaf).digest() for leaf in leaves}) == len(leaves)
    sizes = [size for size, *_ in found["checkpoints"]]
    assert sizes[-1] == len(leaves)
    assert all(one < other for one, other in pairwise(sizes))
    policy = parse_policy(found["policy"])
    for size, root, note in found["checkpoints"]:
        assert root == tree_root(leaves[:size]).hex()
        assert problems(policy, parse_note(note)) == []
