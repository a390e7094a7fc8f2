"""Records of Zeek's JSON as columns: what `zeek_json.read_line` makes of them, without a loop over lines.

A line is taken only where each value has its usual form; all others are left to the reference, one by one. A property
test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.formats.zeek_columns import (
    FLAG_WORDS,
    FLAGS,
    GREATEST,
    WORDS,
    answer_lists,
    event_words,
    ports,
    words_of,
)
from evidence.formats.zeek_record import TRANSPORTS
from evidence.reading import digits, gather
from evidence.reading.addresses import lowered
from evidence.reading.fields import time_columns
from evidence.reading.json_batches import Found, holds, of_other_kind, with_names
from evidence.reading.spellings import spellings

if TYPE_CHECKING:
    from evidence.reading.gather import Bytes, Ints
    from evidence.reading.json_batches import Columns
    from evidence.reading.json_lines import Lines

_NUMBERS = ("id.orig_p", "id.resp_p", "opcode", *WORDS)
_KIND = {"_path": pa.string()}
_RECORD = (
    dict.fromkeys(("id.orig_h", "id.resp_h", "query", "proto", "_system_name"), pa.string()) | _KIND
    | dict.fromkeys(_NUMBERS, pa.int64()) | dict.fromkeys(FLAGS, pa.bool_())
    | {"answers": pa.list_(pa.string()), "TTLs": pa.list_(pa.float64())}
)  # fmt: skip
_TIME_NAME, _TIME_MEMBER = b'"ts"', b'"ts":'
_TIME_WORDS, _MOST = 3, 63 / 64  # words of a time, and so many lines at least, of which few others are read one by one
_SECONDS, _DATE, _YEAR = 10, 20, 5
"""Bytes before the point of seconds since 1970; before that of ISO 8601 and before its first hyphen, with the quote."""
_QUOTE, _DOT, _HYPHEN, _ZULU, _COMMA, _BRACE, _COLON = b'".-Z,}:'
_HEAD = 1 << 16  # bytes, in which a log that names its kind does so
_MORE_THAN_A_TTL = 2**32


def read(lines: Lines) -> Found:
    """What is usual in the lines, and which of them are of another log."""
    dns, others = lines.of_kind(b"_path", b"dns") if b'"_path"' in lines.data[:_HEAD] else (lines.fit, [])
    is_text = lines.data.startswith(b'"', lines.data.find(_TIME_MEMBER) + len(_TIME_MEMBER))
    schema = pa.schema(_RECORD | {"ts": pa.string() if is_text else pa.float64()})
    numbers, records = lines.parse(dns, schema)
    kinds = [(numbers, records), *(lines.parse(other, pa.schema(_KIND)) for other in others)]
    skipped = np.concatenate([of_other_kind(part, table["_path"], "dns") for part, table in kinds])
    usual = np.flatnonzero(_is_usual(records) & ~lines.is_odd[numbers])
    if len(usual) < len(numbers):
        numbers, records = numbers[usual], records.take(pa.array(usual)).combine_chunks()
    if not len(numbers):
        return Found(numbers, {}, skipped, "other-log")
    chosen, columns = _Rows(records, *_times(lines, numbers)).read()
    return Found(numbers[chosen], columns, skipped, "other-log")


def _is_usual(records: pa.Table) -> Any:
    """Where the members stand that a record needs."""
    good = holds(pc.equal(pc.fill_null(records["_path"], "dns"), "dns"))
    for name in ("ts", "id.orig_h", "id.orig_p", "query"):
        if records[name].null_count:
            good &= holds(pc.is_valid(records[name]))
    return good


def _times(lines: Lines, numbers: Ints) -> tuple[Any, digits.Times]:
    """The times from their digits in the lines, since a float does not hold them, and where they are usual."""
    body = lines.body if len(lines.data) > gather.PADDING else gather.padded(lines.data)
    good, found = _first_times(body, lines.starts[numbers])
    return (good, found) if np.count_nonzero(good) > _MOST * len(good) else _all_times(lines, body, numbers)


def _first_times(body: Bytes, starts: Ints) -> tuple[Any, digits.Times]:
    """As Zeek writes them unless it is told otherwise: seconds, as the first member of each line."""
    last = len(body) - gather.PADDING
    words, is_first = gather.word_columns_behind(body, np.minimum(starts, last), b"{" + _TIME_MEMBER, _TIME_WORDS)
    found, behind = digits.seconds_of(*words)
    return is_first & (starts <= last) & found.good & ((behind == _COMMA) | (behind == _BRACE)), found


def _all_times(lines: Lines, body: Bytes, numbers: Ints) -> tuple[Any, digits.Times]:
    """In all forms, wherever the member stands in the lines."""
    begin, last = lines.starts[numbers] + 1, len(body) - gather.PADDING
    good = gather.windows(body, len(_TIME_MEMBER))[np.minimum(begin, last)] == np.void(_TIME_MEMBER)
    begin += len(_TIME_MEMBER)
    if not good.all():
        good, begin = _only_times(lines, numbers)
    good &= begin <= last
    begin = np.minimum(begin, last)
    is_text = body[begin] == _QUOTE
    point = begin + np.where(is_text, _DATE, _SECONDS)
    end = point + 1 + digits.leading(gather.words(body, point + 1))
    is_whole = ~is_text & (body[point] != _DOT)
    good &= (is_whole | (body[point] == _DOT)) & np.where(
        is_text, body[end] == _ZULU, (body[end] == _COMMA) | (body[end] == _BRACE)
    )
    end += is_text
    good &= (body[end] == _QUOTE) | ~is_text
    found = digits.times(body, begin + is_text, end)
    if is_whole.any():
        found = found.but(is_whole, digits.milliseconds(body, begin, end))
    return good & found.good & (~is_text | (body[begin + _YEAR] == _HYPHEN)), found


def _only_times(lines: Lines, numbers: Ints) -> tuple[Any, Ints]:
    """Which lines name a time at one place only, and where the place that is the last in each ends.

    A member within another may have the same name, and either may have blanks before its colon.
    """
    places = lines.places(_TIME_NAME)
    owners = lines.of(places)
    begins = lines.starts.copy()
    begins[owners] = places + len(_TIME_MEMBER)
    is_one = np.bincount(owners, minlength=len(begins)) == 1
    is_one[owners] &= lines.body[np.minimum(places + len(_TIME_NAME), len(lines.body) - 1)] == _COLON
    return is_one[numbers], begins[numbers]


class _Rows:
    """The columns of records; `keep` says which are usual so far."""

    def __init__(self, records: pa.Table, keep: Any, times: digits.Times) -> None:
        self._records = {name: records[name].chunk(0) for name in records.column_names}
        self.keep, self._times = keep, times

    def read(self) -> tuple[Ints, Columns]:
        """Which of the records are usual throughout, and the columns of these."""
        records = self._records
        numbers = {name: self._number(name) for name in _NUMBERS}
        self.keep &= numbers["opcode"] <= 0
        columns = time_columns(self._times, np.arange(len(self.keep))) | {
            "event": event_words(numbers["rcode"]),
            "client": self._address("id.orig_h"), "server": self._address("id.resp_h"),
            "port": ports(numbers["id.orig_p"]), "server_port": ports(numbers["id.resp_p"]),
            "flags": gather.chosen_words(FLAG_WORDS, self._flags()), "vantage": records["_system_name"],
            "transport": spellings(records["proto"], TRANSPORTS.get).column(), "answers": self._answers(),
            **{column: words_of(numbers[name], word) for name, (column, word) in WORDS.items()},
        }  # fmt: skip
        return with_names(columns, records["query"], self.keep)

    def _address(self, name: str) -> pa.Array:
        """Addresses in lower case; a record with another text in its place is not usual."""
        column = self._records[name]
        good, texts = lowered(column)
        self.keep &= good | column.is_null().to_numpy(zero_copy_only=False)
        return texts

    def _number(self, name: str) -> Ints:
        """A number of at most 16 bits; -1 where there is none."""
        value: Ints = pc.fill_null(self._records[name], -1).to_numpy()
        if value.min() < 0 or value.max() > GREATEST:
            good = holds(pc.is_null(self._records[name])) | ((value >= 0) & (value <= GREATEST))
            self.keep &= good
            value = np.where(good, value, -1)
        return value

    def _flags(self) -> Ints:
        """The flags of each record as bits; one that is not there is not set."""
        value = np.zeros(len(self.keep), dtype=np.int64)
        for bit, name in enumerate(FLAGS):
            value |= holds(self._records[name]).astype(np.int64) << bit
        return value

    def _answers(self) -> pa.Array:
        """The answers of each record; one whose TTLs are not as many has none of these."""
        counts, given = (_sizes(self._records[name]) for name in ("answers", "TTLs"))
        written = self._records["TTLs"].flatten().to_numpy(zero_copy_only=False)
        is_ttl = (written >= 0) & (written < _MORE_THAN_A_TTL)
        value = np.where(is_ttl, written, -1).astype(np.int64)
        if not np.array_equal(counts, given):
            same = counts == given
            ttls = np.full(int(counts.sum()), -1)
            ttls[np.repeat(same, counts)] = value[np.repeat(same, given)]
            value = ttls
        return answer_lists(counts, self._records["answers"].flatten(), value)


def _sizes(lists: pa.Array) -> Ints:
    found: Ints = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    return found
