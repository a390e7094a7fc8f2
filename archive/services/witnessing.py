"""Witnesses: others who cosign each checkpoint only if it continues the one they cosigned before (C2SP tlog-witness).

They are asked after a checkpoint is committed, outside of any transaction; each line is verified before it is kept. A
witness that is away is asked again; one that shows a checkpoint which this log signed, and the database does not have
or has with other leaves, stops the signing.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import re
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from archive import wiring
from archive.models import Alarm, Checkpoint, Cosignature
from archive.services import publication
from archive.services.alarms import end_alarm, end_alarms_of_others, raise_alarm
from archive.services.asking import Call, converse
from archive.services.pauses import Pauses
from archive.services.rounds import one_at_a_time
from archive.services.sequencing import latest_checkpoint, subtree_root
from evidence.errors import EvidenceError, LogError, SignatureError
from evidence.log.checkpoint import verify_signature
from evidence.log.note import parse_note
from evidence.log.policy import parse_policy, problems
from evidence.log.proof import consistency_proof
from evidence.log.witness import SIZE_TYPE, Answer, Request

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from archive.services.asking import Reply, Talk
    from evidence.log.note import Vkey

AWAY = "witness"
"""Alarms about one witness, by its URL."""
_KINDS = (AWAY, publication.AHEAD)
_REFUSED = (Answer.OTHER_SIZE, Answer.NOT_CONSISTENT)
_LOCK = 0x77697473  # one round at a time, in the whole database
_RECENT = 5  # cosigned checkpoints that are looked at for the newest with a quorum
_SIZE = re.compile(r"[0-9]{1,19}", re.ASCII)
_PAUSES = Pauses(AWAY, first=dt.timedelta(seconds=5), longest=dt.timedelta(minutes=2))


def cosigned(checkpoint: Checkpoint) -> str:
    """The note with all cosignatures that are there."""
    return checkpoint.note + "".join(checkpoint.cosignatures.values_list("line", flat=True))


def has_quorum(checkpoint: Checkpoint) -> bool:
    """Whether the witnesses that the archive names have cosigned as its own policy asks."""
    return not problems(parse_policy(wiring.policy(checkpoint.size)), parse_note(cosigned(checkpoint)))


def quorum_of(checkpoint: Checkpoint | None) -> str:
    """`reached`, `below`, or `none asked` where the archive's own policy wants no witness."""
    if not quorum_is_asked():
        return "none asked"
    return "reached" if checkpoint is not None and has_quorum(checkpoint) else "below"


def newest_to_show() -> Checkpoint | None:
    """The newest checkpoint that has its quorum, where one is asked for; else simply the newest."""
    newest = latest_checkpoint()
    if newest is None or not quorum_is_asked():
        return newest
    recent = Checkpoint.objects.filter(cosignatures__isnull=False).distinct().order_by("-size")[:_RECENT]
    return next((checkpoint for checkpoint in recent if has_quorum(checkpoint)), newest)


def quorum_is_asked() -> bool:
    return parse_policy(wiring.policy()).quorum is not None


def asked_for() -> list[str]:
    """The witnesses' names in the archive's own policy; a checkpoint without a line of theirs has no quorum by it."""
    return list(parse_policy(wiring.policy()).witnesses)


def cosign_newest() -> int:
    """Ask every witness that has not cosigned the newest checkpoint; how many lines were added.

    One round at a time; a witness that is away is left alone for a while, and keeps no other waiting.
    """
    with one_at_a_time(_LOCK) as free:
        return _cosign_newest() if free else 0


def refuse_if_a_witness_is_ahead() -> list[str]:
    """Compare with what each witness cosigned last; those that could not be asked. Raises `AheadError`.

    Either is an alarm as well. To be asked before the first signature of a process: it may be on a restored backup.
    """
    urls = _by_url()
    end_alarms_of_others(kinds=_KINDS, subjects=urls)
    outcomes = converse({url: _compare(url) for url in urls})
    for url, outcome in outcomes.items():
        if isinstance(outcome, EvidenceError):
            _alarm(url, outcome)
        elif outcome:
            end_alarm(kind=publication.AHEAD, subject=url)
    ahead = next((each for each in outcomes.values() if isinstance(each, publication.AheadError)), None)
    if ahead is not None:
        raise ahead
    return [f"{url}: {each!s:.300}" for url, each in outcomes.items() if isinstance(each, EvidenceError)]


@functools.cache
def ask_before_the_first_signature() -> None:
    """Once in a process: one that is ahead raises its alarm, which stops the signing."""
    with contextlib.suppress(publication.AheadError):
        refuse_if_a_witness_is_ahead()


def _cosign_newest() -> int:
    urls = _by_url()
    end_alarms_of_others(kinds=_KINDS, subjects=urls)
    newest = latest_checkpoint()
    if newest is None:
        return 0
    known = set(newest.cosignatures.values_list("witness", flat=True))
    alarmed = set(_alarms().values_list("subject", flat=True))
    wanted = [url for url, keys in urls.items() if url[:400] in alarmed or not set(keys) <= known]
    left_alone = _PAUSES.under_way(wanted)
    outcomes = converse({url: _ask(url, urls[url], newest) for url in wanted if url not in left_alone})
    return sum(_settle(url, outcome) for url, outcome in outcomes.items())


def _settle(url: str, outcome: int | EvidenceError) -> int:
    if isinstance(outcome, EvidenceError):
        _alarm(url, outcome)
        _PAUSES.begin(url)
        return 0
    _PAUSES.forget(url)
    for kind in _KINDS:
        end_alarm(kind=kind, subject=url)
    return outcome


def _alarm(url: str, error: EvidenceError) -> None:
    if isinstance(error, publication.AheadError):
        raise_alarm(kind=publication.AHEAD, subject=url, text=str(error))
    else:
        raise_alarm(kind=AWAY, subject=url, text=f"{error!s:.300}; it is asked again")


def _alarms() -> QuerySet[Alarm]:
    return Alarm.objects.filter(kind__in=_KINDS, ended=None)


def _by_url() -> dict[str, dict[str, Vkey]]:
    policy = parse_policy(wiring.policy())
    found: dict[str, dict[str, Vkey]] = {}
    for name, url in policy.urls.items():
        found.setdefault(url.rstrip("/"), {})[name] = policy.witnesses[name]
    return found


def _compare(url: str) -> Talk:
    """Whether it shows a checkpoint of this log, which the database's log continues.

    Only one that the log itself signed is believed: whoever sits between could say any size. Raises `AheadError` or
    another `EvidenceError`.
    """
    name = hashlib.sha256(wiring.origin().encode()).hexdigest()
    reply = yield Call("GET", f"{url}/{name}/checkpoint")
    if reply.status == Answer.UNKNOWN_LOG:
        return 0
    if reply.status != Answer.COSIGN:
        raise LogError(f"answered {reply.status}: {reply.text[:200].strip()}")
    seen = publication.own_checkpoint(reply.text)
    publication.refuse_other_history(seen, f"the checkpoint at the witness {url}", lambda size: subtree_root(0, size))
    return 1


def _ask(url: str, keys: dict[str, Vkey], checkpoint: Checkpoint) -> Talk:
    """How many lines were kept. Raises `AheadError` or another `EvidenceError`."""
    last = Cosignature.objects.filter(witness__in=keys).order_by("-checkpoint__size").first()
    reply = yield _request(url, checkpoint, last.checkpoint_id if last else 0)
    size = _size_named(reply)
    if size is not None and size <= checkpoint.size:
        reply = yield _request(url, checkpoint, size)
    if reply.status in _REFUSED:
        yield from _compare(url)
    if reply.status != Answer.COSIGN:
        raise LogError(f"the witness answered {reply.status}: {reply.text[:200].strip()}")
    return _keep(keys, checkpoint, reply.text)


def _size_named(reply: Reply) -> int | None:
    """The size of which a witness says that it has it: nobody has signed that, so it proves nothing."""
    text = reply.text.strip()
    if (reply.status, reply.kind) != (Answer.OTHER_SIZE, SIZE_TYPE) or not _SIZE.fullmatch(text):
        return None
    return int(text)


def _request(url: str, checkpoint: Checkpoint, old: int) -> Call:
    hashes = tuple(consistency_proof(old, checkpoint.size, subtree_root))
    return Call("POST", f"{url}/add-checkpoint", str(Request(old, hashes, checkpoint.note)).encode())


def _keep(keys: dict[str, Vkey], checkpoint: Checkpoint, lines: str) -> int:
    """Verify and keep the line of each of the witness's keys. Raises `SignatureError` if one is wanting."""
    text = f"{parse_note(checkpoint.note).text}\n{lines}"
    kept = 0
    for name, vkey in keys.items():
        line = _line_of(vkey, text)
        if line is None:
            raise SignatureError(f"the witness sent no signature by its key {name}")
        try:
            with transaction.atomic():
                Cosignature.objects.create(checkpoint=checkpoint, witness=name, line=line)
                kept += 1
        except IntegrityError:
            continue  # another worker was sooner
    return kept


def _line_of(vkey: Vkey, text: str) -> str | None:
    """The signature line by this key; verified. Raises `EvidenceError` if it does not hold."""
    note = parse_note(text)
    for line in note.signatures:
        if (line.name, line.keyid) == (vkey.name, vkey.keyid):
            verify_signature(note, line, vkey)
            return str(line)
    return None
