"""Rows of the packets that `datagrams` found plain, column by column."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading import gather
from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.table.schema import LOOKUPS, QUERY, RESPONSE, complete
from evidence.wire.datagrams import COOKIE, DO, ECS, EDNS, plain_messages
from evidence.wire.message import flag_words
from evidence.wire.packet import address

if TYPE_CHECKING:
    from collections.abc import Callable

    from evidence.reading.gather import Ints
    from evidence.wire.datagrams import Octets, Plain
    from evidence.wire.pieces import Piece

_DOT = 0x2E
_HEADER_BITS = 0x07B0
_WORDS = {DO: "DO", COOKIE: "COOKIE", ECS: "ECS"}
_DECIMALS = pa.array([str(octet) for octet in range(256)])


def plain_rows(piece: Piece) -> tuple[pa.Table, Ints]:
    """Rows of the plain packets, and the places in the piece of all others."""
    plain = plain_messages(piece)
    count = len(plain.messages.index)
    if not count:
        return LOOKUPS.empty_table(), plain.left
    columns = _places(piece, plain.messages.index) | _ends(plain) | _message(plain)
    columns["transport"] = gather.constant("udp", count, pa.string())
    return complete(columns, count, LOOKUPS), plain.left


def _places(piece: Piece, index: Ints) -> dict[str, pa.Array]:
    digits = np.array([interface.digits for interface in piece.interfaces], dtype=np.int8)
    names = pa.array([interface.name for interface in piece.interfaces], pa.string())
    return {
        "line": pa.array(piece.line + index),
        "start": pa.array(piece.start + piece.starts[index]),
        "stop": pa.array(piece.start + piece.stops[index]),
        "time": pa.array(piece.times[index]).view(LOOKUPS.field("time").type),
        "time_digits": pa.array(digits[piece.places[index]]),
        "time_zone": gather.constant("UTC", len(index), pa.string()),
        "vantage": names.take(pa.array(piece.places[index])),
    }


def _ends(plain: Plain) -> dict[str, pa.Array]:
    """Who asked sends the query and gets the response."""
    found = plain.messages
    is_query = plain.octets.two(found.begin + 2) & 0x8000 == 0
    client, server = (
        np.where(is_query, *pair) for pair in ((found.source, found.target), (found.target, found.source))
    )
    port, other = (
        np.where(is_query, *pair) for pair in ((found.port, found.target_port), (found.target_port, found.port))
    )
    return {
        "client": _addresses(plain.octets, client, found.is_six),
        "port": pa.array(port.astype(np.int32)),
        "server": _addresses(plain.octets, server, found.is_six),
        "server_port": pa.array(other.astype(np.int32)),
    }


def _message(plain: Plain) -> dict[str, pa.Array]:
    octets, found = plain.octets, plain.messages
    bits = octets.two(found.begin + 2)
    is_response = bits & 0x8000 != 0
    code = pa.array(bits & 15 | plain.code << 4, mask=~is_response)
    name, written = _names(plain)
    return {
        "event": pa.array([QUERY, RESPONSE]).take(pa.array(is_response.astype(np.int8))),
        "name": name, "name_as_written": written,
        "type": _all(type_name, 1 << 16).take(pa.array(octets.two(plain.ends))),
        "class": _all(class_name, 1 << 16).take(pa.array(octets.two(plain.ends + 2))),
        "flags": _flags(bits & _HEADER_BITS | plain.edns),
        "rcode": _all(rcode_name, 1 << 12).take(code),
        "answers": _answers(plain, name),
    }  # fmt: skip


def _names(plain: Plain) -> tuple[pa.Array, pa.Array]:
    """In the form of tables, and as they are written where they have capitals."""
    dotted = plain.octets.buffer.copy()
    np.copyto(dotted, np.uint8(_DOT), where=plain.marks)
    written = gather.strings(dotted, plain.messages.begin + 13, plain.ends - 1)
    name = pc.ascii_lower(written)
    return name, pc.if_else(pc.equal(name, written), pa.scalar(None, pa.string()), written)


@cache
def _all(word: Callable[[int], str], count: int) -> pa.Array:
    """The words of all numbers, to take from."""
    return pa.array([word(number) for number in range(count)])


def _flags(keys: Ints) -> pa.Array:
    """Few packets differ in their flags: each combination is put into words once."""
    present = np.flatnonzero(np.bincount(keys, minlength=1 << 16))
    words = pa.array(map(_words, present.tolist()), pa.string())
    return words.take(pa.array(np.searchsorted(present, keys)))


def _words(key: int) -> str | None:
    words = frozenset(word for bit, word in _WORDS.items() if key & bit)
    return flag_words(key & _HEADER_BITS, 0 if key & EDNS else None, words)


def _answers(plain: Plain, name: pa.Array) -> pa.Array:
    answers, count = plain.answers, len(name)
    sizes = np.bincount(answers.row, minlength=count)
    kind: Any = LOOKUPS.field("answers").type
    values = pa.StructArray.from_arrays(
        [
            name.take(pa.array(answers.row)),
            pa.array(["A", "AAAA"]).take(pa.array(answers.is_six.astype(np.int8))),
            pa.array(answers.ttl),
            _addresses(plain.octets, answers.place, answers.is_six),
        ],
        fields=list(kind.value_type),
    )
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind, mask=pa.array(sizes == 0))


def _addresses(octets: Octets, places: Ints, is_six: Any) -> pa.Array:
    """The addresses of four or sixteen octets at these places."""
    four, six = np.flatnonzero(~is_six), np.flatnonzero(is_six)
    if not len(six):
        return _four(octets, places)
    both = pa.concat_arrays([_four(octets, places[four]), _six(octets, places[six])])
    return both.take(pa.array(np.argsort(np.concatenate([four, six]), kind="stable")))


def _four(octets: Octets, places: Ints) -> pa.Array:
    parts = [_DECIMALS.take(pa.array(octets.buffer[places + place])) for place in range(4)]
    return pc.binary_join_element_wise(*parts, ".")


def _six(octets: Octets, places: Ints) -> pa.Array:
    found = np.ascontiguousarray(octets.buffer[places[:, None] + np.arange(16)]).view("V16").ravel()
    values, inverse = np.unique(found, return_inverse=True)
    return pa.array([address(value.tobytes()) for value in values], pa.string()).take(pa.array(inverse.ravel()))
