"""Many DNS messages at once, as the columns of lookups: `read_message` makes the same of each by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.table.schema import LOOKUPS, QUERY, RESPONSE
from evidence.wire.answer_columns import read_answers, read_names, text_sizes
from evidence.wire.message import flag_words
from evidence.wire.name_columns import ranges
from evidence.wire.octets import layout
from evidence.wire.sections import COOKIE, DO, ECS, EDNS, read_questions, read_sections
from evidence.wire.word_columns import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evidence.reading.gather import Ints
    from evidence.wire.answer_columns import Answers, Names
    from evidence.wire.datagrams import Messages
    from evidence.wire.name_columns import Texts
    from evidence.wire.octets import Octets
    from evidence.wire.sections import Questions, Sections

_MOST_RECORDS, MOST_UNFOLDED = 1 << 17, 12 << 20
"""Records and bytes of names and answers that are made at once."""
RESPONSE_BIT, _HEADER_BITS = 0x8000, 0x07B0
_ASKED = layout(4, type=(0, ">u2"), class_=(2, ">u2"))
_WORDS = {DO: "DO", COOKIE: "COOKIE", ECS: "ECS"}


@dataclass(frozen=True, slots=True)
class Part:
    """Messages from number `first` up to `stop`: which are plain, counted from `first`, and columns of these."""

    first: int
    stop: int
    taken: Ints
    columns: dict[str, pa.Array]


def message_parts(octets: Octets, found: Messages) -> Iterator[Part]:
    """All messages, in parts that take little memory each, however many records they have and however these unfold.

    There is one at least.
    """
    for first, stop in ranges(found.answers + found.authority + found.additional, _MOST_RECORDS):
        some = found.only(slice(first, stop))
        asked = read_questions(octets, some)
        sections = read_sections(octets, some, asked)
        names = read_names(octets, some, sections.answers)
        for begin, end in ranges(text_sizes(some, asked, sections.answers, names), MOST_UNFOLDED):
            mine = some.only(slice(begin, end)), asked.only(begin, end), sections.only(begin, end)
            yield Part(first + begin, first + end, *_columns(octets, *mine, names.only(sections.answers, begin, end)))


def _columns(
    octets: Octets, found: Messages, asked: Questions, sections: Sections, names: Names
) -> tuple[Ints, dict[str, pa.Array]]:
    """The numbers of the messages that are plain, and columns of these."""
    answers = read_answers(octets, found, asked, sections, names)
    taken = np.flatnonzero(answers.taken)
    columns = found.bits, asked.ends, sections.edns, sections.code
    bits, ends, edns, code = columns if len(taken) == len(found.bits) else (column[taken] for column in columns)
    asks = octets.fields(_ASKED, ends)
    response = bits & RESPONSE_BIT
    return taken, _names(asked.names, taken) | {
        "event": in_words(_event, response),
        "type": in_words(type_name, asks["type"].astype(np.int64)),
        "class": in_words(class_name, asks["class_"].astype(np.int64)),
        "flags": in_words(_flags, bits & _HEADER_BITS | edns),
        "rcode": in_words(_code, bits & 15 | code << 4 | response),
        "answers": _answers(answers, taken),
    }  # fmt: skip


def _names(names: Texts, taken: Ints) -> dict[str, pa.Array]:
    """In the form of tables, and as they are written where they have capitals."""
    name, written = names.name, names.written
    is_small = written is name
    if len(taken) < len(name):
        kept = pa.array(taken)
        name, written = name.take(kept), written.take(kept)
    if is_small:
        return {"name": name, "name_as_written": pa.nulls(len(name), pa.string())}
    return {"name": name, "name_as_written": pc.if_else(pc.equal(name, written), pa.scalar(None, pa.string()), written)}


def _event(bit: int) -> str:
    return RESPONSE if bit else QUERY


def _code(number: int) -> str | None:
    """Of responses alone."""
    return rcode_name(number & ~RESPONSE_BIT) if number & RESPONSE_BIT else None


def _flags(key: int) -> str | None:
    words = frozenset(word for bit, word in _WORDS.items() if key & bit)
    return flag_words(key & _HEADER_BITS, 0 if key & EDNS else None, words)


def _answers(answers: Answers, taken: Ints) -> pa.Array:
    kind: Any = LOOKUPS.field("answers").type
    records = answers.records
    sizes = np.bincount(records.row, minlength=len(answers.taken))[taken]
    values = pa.StructArray.from_arrays(
        [answers.owner, in_words(type_name, records.type).cast(pa.string()), pa.array(records.ttl), answers.data],
        fields=list(kind.value_type),
    )
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind, mask=pa.array(sizes == 0))
