"""Answers of many messages at once: owners, and data in the presentation form of `rdata`.

Addresses and names are made as columns, data of other types one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from evidence.reading.mnemonics import TYPES, type_name
from evidence.wire.address_columns import addresses
from evidence.wire.name_columns import texts, walk
from evidence.wire.rdata import FIELDS, IN, rdata_text
from evidence.wire.sections import OWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Messages
    from evidence.wire.name_columns import Walked
    from evidence.wire.octets import Octets
    from evidence.wire.sections import Questions, Records, Sections

_A, _AAAA = 1, 28
_IS_NAME = np.zeros(1 << 16, dtype=bool)
_IS_NAME[[2, 5, 12, 39]] = True
"""By type: NS, CNAME, PTR and DNAME are nothing but a name."""
_ESCAPED, _NAME, _OF_RECORD = 4, 1020, 48
"""Characters that an octet may take, and a name; bytes of a message or record beside its texts."""
_NAMES_INSIDE = np.zeros(1 << 16, dtype=np.int64)
"""By type: names in its data."""
for _number, _word in TYPES.items():
    _NAMES_INSIDE[_number] = FIELDS.get(_word, "").count("n")


@dataclass(frozen=True, slots=True)
class Answers:
    """Which messages are taken, and the answers of these by the numbers of their messages."""

    taken: Any
    records: Records
    owner: pa.Array
    data: pa.Array


@dataclass(frozen=True, slots=True)
class Names:
    """Names of answers by the place of their record: `others`, owners that are not the name asked for, then `data`.

    `rows` are the numbers of their messages; a name that is not `usable` is the root or none.
    """

    others: Ints
    data: Ints
    rows: Ints
    begin: Ints
    at: Ints
    stop: Ints
    walked: Walked
    usable: Any

    def only(self, records: Records, first: int, stop: int) -> Names:
        """Those of a range of messages, numbered from its first, and of their records."""
        mine = records.of(first, stop)
        edges, count = [mine.start, mine.stop], len(self.others)
        some, more = (slice(*np.searchsorted(places, edges).tolist()) for places in (self.others, self.data))
        kept = np.r_[some, count + more.start : count + more.stop]
        return Names(
            self.others[some] - mine.start, self.data[more] - mine.start, self.rows[kept] - first, self.begin[kept],
            self.at[kept], self.stop[kept], self.walked.only(kept), self.usable[kept],
        )  # fmt: skip


def read_answers(octets: Octets, found: Messages, asked: Questions, sections: Sections, names: Names) -> Answers:
    """A message is not taken if an owner is the root or has to be escaped."""
    records, taken = sections.answers, sections.taken.copy()
    owners = names.rows[: len(names.others)]
    taken[owners[~names.usable[: len(owners)]]] = False
    made = texts(octets, names.begin, names.at, names.stop, names.walked, names.usable & taken[names.rows])
    taken[owners[made.odd[: len(owners)]]] = False
    kept = taken[records.row]
    owner = _owners(records.row, asked.names.name, names.others, made.name)
    is_name = np.zeros(len(records.row), dtype=bool)
    is_name[names.data] = (names.usable & ~made.odd)[len(owners) :]
    in_data = made.name.slice(len(owners)).filter(pa.array((is_name & kept)[names.data]))
    if not kept.all():
        owner, records, is_name = owner.filter(pa.array(kept)), records.only(np.flatnonzero(kept)), is_name[kept]
    return Answers(taken, records, owner, _data(octets, found, records, is_name, in_data))


def read_names(octets: Octets, found: Messages, records: Records) -> Names:
    """Names in data end where these end."""
    others = np.flatnonzero(octets.two(records.owner) != OWN)
    data = np.flatnonzero(_IS_NAME[records.type])
    rows = records.row[np.concatenate([others, data])]
    at = np.concatenate([records.owner[others], records.start[data]])
    stop = np.concatenate([found.stop[records.row[others]], records.stop[data]])
    begin = found.begin[rows]
    walked = walk(octets, begin, at, stop)
    usable = walked.good & (walked.length > 0)
    usable[len(others) :] &= walked.end[len(others) :] == records.stop[data]
    return Names(others, data, rows, begin, at, stop, walked, usable)


def text_sizes(found: Messages, asked: Questions, records: Records, names: Names) -> Ints:
    """Bytes that each message takes, at most: every octet of its names and data may have to be escaped."""
    is_address = (records.type == _A) | (records.type == _AAAA)
    inside = _NAMES_INSIDE[records.type] * _NAME
    data = np.where(is_address, 0, inside + _ESCAPED * (records.stop - records.start))
    data[names.data] = _ESCAPED * names.walked.length[len(names.others) :]
    owner = (asked.ends - found.begin)[records.row]
    owner[names.others] = names.walked.length[: len(names.others)]
    whole = np.bincount(records.row, weights=owner + data + _OF_RECORD, minlength=len(found.begin))
    return whole.astype(np.int64) + _OF_RECORD + (asked.ends > 0) * (asked.ends - found.begin)


def _owners(rows: Ints, asked: pa.Array, others: Ints, names: pa.Array) -> pa.Array:
    """The name that is asked for, or one of the other `names`, which begin with those of `others`."""
    places = rows.copy()
    places[others] = len(asked) + np.arange(len(others))
    return pa.concat_arrays([asked, names]).take(pa.array(places))


def _data(octets: Octets, found: Messages, records: Records, is_name: Any, names: pa.Array) -> pa.Array:
    """In the order of the records; `names` are the data of those that are names."""
    size, is_internet = records.stop - records.start, records.class_ == IN
    is_six = is_internet & (records.type == _AAAA) & (size == 16)
    is_address = is_six | (is_internet & (records.type == _A) & (size == 4))
    found_addresses = addresses(octets, records.start[is_address], is_six[is_address])
    if is_address.all():
        return found_addresses
    alone = np.flatnonzero(~is_address & ~is_name)
    single = pa.array(_one_by_one(octets, found, records.only(alone)), pa.string())
    order = np.argsort(np.concatenate([np.flatnonzero(is_address), np.flatnonzero(is_name), alone]), kind="stable")
    return pa.concat_arrays([found_addresses, names, single]).take(pa.array(order))


def _one_by_one(octets: Octets, found: Messages, records: Records) -> Iterator[str]:
    buffer = octets.buffer
    begins = found.begin[records.row]
    columns = (begins, records.start - begins, records.stop - begins, records.type, records.class_)
    for begin, start, stop, kind, class_ in zip(*(column.tolist() for column in columns), strict=True):
        yield rdata_text(buffer[begin : begin + stop].tobytes(), start, stop, type_name(kind), class_)
