"""One look at a log: its checkpoint, every tile that is new, and whether it continues what was seen before.

Judgement is `evidence`'s; here is the order of the steps, and what is fetched and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from evidence.errors import LogError
from evidence.log.growth import Growth, tile_bytes, tiles_between
from evidence.log.hashing import HASH_SIZE
from evidence.log.tile import WIDTH, Tile
from evidence.log.tree import subtree_root
from evidence.log.views import Relation, Tie, tie
from evidence.verify.findings import Findings
from evidence.verify.tiles import TileCheck
from evidence.verify.views import View, compare, judge_old, judge_view, say_continues, say_times
from monitor import keeping
from monitor.accusing import Accusation, accuse
from monitor.keys import look_at_keys
from monitor.source import AnswerError, tiles_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from evidence.verify.trust import Trust
    from monitor.source import Source

CHECKPOINT_LIMIT = 1 << 16
PROVING = frozenset({"tile-missing", "answer-too-large"})
"""What a log that answers must not do; other silences may be the network's fault."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants: an old checkpoint or receipt by name and bytes, where to keep, all tiles read again.

    `since_trust` is whom the caller trusts for that old one, if others than now; `site` is the root of the log's host,
    if the keys that the archive lists there are to be looked at.
    """

    trust: Trust
    now: dt.datetime
    since: tuple[str, bytes] | None = None
    since_trust: Trust | None = None
    site: Source | None = None
    keep: Path | None = None
    again: bool = False


def watch(source: Source, asked: Asked) -> Findings:
    """Raises `KeepingError` if the folder cannot be used, `OSError` if it cannot be written."""
    findings = Findings()
    if asked.keep is None:
        _look(source, asked, None, findings)
        return findings
    with keeping.claimed(asked.keep):
        _look(source, asked, keeping.remembered(asked.keep), findings)
        for path in keeping.evidence_kept(asked.keep):
            message = "evidence that the log showed two views is kept here; it is told until you move it away"
            findings.wrong("log-evidence", str(path), message)
    return findings


def _look(source: Source, asked: Asked, kept: keeping.Kept | None, findings: Findings) -> None:
    newest = _newest(source, asked, findings)
    seen = _seen_before(asked, kept, findings)
    if newest is None or not newest.counts:
        return
    receipts = _look_at_keys(source, asked, [newest, *seen], findings)
    relations = {view.where: compare(view, newest, findings) for view in seen}
    for view in seen:
        if relations[view.where] in (Relation.FORKED, Relation.SHRUNK):
            accuse(asked.keep, Accusation(relations[view.where], view, newest), asked.trust, asked.now)
    if not set(relations.values()) <= {Relation.SAME, Relation.CONTINUES, Relation.OPEN}:
        return
    open_views = [view for view in seen if relations[view.where] is Relation.OPEN]
    growth = _begun(asked, kept, open_views)
    check = TileCheck(growth, newest.checkpoint.size, frozenset(view.checkpoint.size for view in open_views), findings)
    is_whole = _read(source, check, findings)
    holds = check.leads_to(newest.checkpoint, newest.where)
    ties = {view.where: _tied(source, view, newest, check, holds=holds) if is_whole else None for view in open_views}
    forked = [view for view in open_views if say_continues(view, newest, ties[view.where], findings)]
    for view in forked:
        accuse(asked.keep, Accusation(Relation.FORKED, view, newest, ties[view.where]), asked.trust, asked.now)
    if asked.keep is not None and is_whole and holds and check.is_clean and not forked:
        keeping.remember(asked.keep, newest.text, growth)
        keeping.keep_key_events(asked.keep, receipts)


def _look_at_keys(source: Source, asked: Asked, views: list[View], findings: Findings) -> dict[int, bytes]:
    """The receipts of the events of keys that are shown, by index; none where nobody asks for them."""
    if asked.site is None:
        return {}
    trusts = [asked.trust] + ([asked.since_trust] if asked.since_trust is not None else [])
    kept = keeping.key_events_kept(asked.keep) if asked.keep is not None else {}
    return look_at_keys(source, asked.site, views, trusts, kept, findings)


def _newest(source: Source, asked: Asked, findings: Findings) -> View | None:
    try:
        data = source.get("checkpoint", CHECKPOINT_LIMIT)
    except AnswerError as error:
        _say(error, "checkpoint", findings, of_tile=False)
        return None
    view = judge_view(data, "checkpoint", asked.trust, findings, ask_quorum=True)
    if view is not None and view.counts:
        say_times(view, asked.trust, asked.now, findings)
    return view


def _seen_before(asked: Asked, kept: keeping.Kept | None, findings: Findings) -> list[View]:
    """What was kept was judged when it was kept, by the keys of that time; what the caller brings is judged now."""
    seen = []
    if kept is not None and asked.keep is not None:
        seen.append(View(kept.note, kept.checkpoint, str(asked.keep / keeping.MEMORY), counts=True))
    if asked.since is not None:
        where, data = asked.since
        since = judge_old(data, where, asked.since_trust or asked.trust, findings)
        seen += [since] if since is not None and since.counts else []
    return seen


def _begun(asked: Asked, kept: keeping.Kept | None, open_views: list[View]) -> Growth:
    """The edge of the tree that is known; from nothing if an older size has to be looked at."""
    if kept is None or asked.again or any(view.checkpoint.size < kept.checkpoint.size for view in open_views):
        return Growth()
    return kept.growth()


def _read(source: Source, check: TileCheck, findings: Findings) -> bool:
    """Whether every tile was answered for, be it wrongly."""
    for tile, answer in tiles_of(source, tiles_between(check.growth.size, check.size)):
        if isinstance(answer, AnswerError):
            _say(answer, tile.path, findings, of_tile=True)
            if answer.code not in PROVING:
                return False
        check.take(tile, None if isinstance(answer, AnswerError) else answer)
        if check.stopped:
            break
    return True


def _say(error: AnswerError, where: str, findings: Findings, *, of_tile: bool) -> None:
    code = error.code if of_tile or error.code != "tile-missing" else "answer-none"
    say = findings.wrong if code in PROVING else findings.unchecked
    say(code, where, str(error), got=error.got, wanted=error.wanted)


def _tied(source: Source, earlier: View, later: View, check: TileCheck, *, holds: bool) -> Tie | None:
    """What the later tree has at the earlier size: from its leaves if they make its root, else by a proof."""
    root = check.roots.get(earlier.checkpoint.size) if holds else None
    if root == earlier.checkpoint.root:
        return Tie(root, ())
    try:
        return tie(earlier.checkpoint, later.checkpoint, _subtree_root(source, later.checkpoint.size))
    except (LogError, AnswerError):
        return Tie(root, ()) if root is not None else None


def _subtree_root(source: Source, size: int) -> Callable[[int, int], bytes]:
    """Roots from the served tiles, which nobody has checked."""

    @cache
    def tile(level: int, index: int) -> bytes:
        width = min(WIDTH, (size >> 8 * level) - index * WIDTH)
        wanted = Tile(level, index, width)
        data = source.get(wanted.path, tile_bytes(wanted))
        if len(data) != tile_bytes(wanted):
            raise LogError(f"{wanted.path}: {len(data)} bytes")
        return data

    def hashes(level: int, first: int, last: int) -> list[bytes]:
        row, begin = tile(level, first // WIDTH), first - first % WIDTH
        return [row[(at - begin) * HASH_SIZE :][:HASH_SIZE] for at in range(first, last)]

    return lambda start, stop: subtree_root(start, stop, hashes)
