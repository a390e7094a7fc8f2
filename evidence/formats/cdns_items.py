"""Rows of a query/response item of C-DNS (RFC 8618 §7.5): one a question of its query, one a question of its response.

What all items with one signature share is made once. A response's time is its query's and the delay. EDNS of a query
stands in the signature; that of a response, and TSIG, only where the additional records were recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evidence.errors import MessageError
from evidence.formats.cdns_tables import (
    MOST,
    QUESTION_LISTS,
    QUESTIONS,
    RECORD_LISTS,
    SIGNATURES,
    Parameters,
    Record,
    Tables,
    keep,
    mapping,
    number,
)
from evidence.reading.batch import REJECT, SKIP
from evidence.reading.mnemonics import class_name, rcode_name, type_name
from evidence.reading.opcodes import no_lookup
from evidence.table.schema import QUERY, RESPONSE
from evidence.wire.cbor import UNWANTED
from evidence.wire.message import MOST_QUESTIONS, flag_words, option_words
from evidence.wire.rdata import rdata_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evidence.reading.format import NoRow, Row
    from evidence.wire.cbor import Value

_OFFSET, _CLIENT, _PORT, _SIGNATURE, _DELAY, _NAME = 0, 1, 2, 4, 6, 7
_EXTENDED = {QUERY: 11, RESPONSE: 12}
_MORE_QUESTIONS, _ANSWERS, _ADDITIONAL = 0, 1, 3
_SERVER, _SERVER_PORT, _TRANSPORT, _ROLE, _HAS, _OPCODE, _BITS, _KIND, _EDNS, _OPTIONS, _RCODE = (
    0, 1, 2, 3, 4, 5, 6, 8, 13, 15, 16,
)  # fmt: skip
_HAS_QUERY, _HAS_RESPONSE, _QUERY_EDNS, _NO_QUESTION, _NO_QUESTION_BACK = 1, 2, 4, 16, 32
_TRANSPORTS = {0: "udp", 1: "tcp", 2: "tls", 3: "dtls", 4: "https"}
_ROLES = ("stub", "client", "resolver", "auth", "forwarder", "tool", "update")
_FLAGS = (0x0010, 0x0020, 0, 0x0080, 0x0100, 0x0200, 0x0400)
"""The header's bits in the order of `qr-dns-flags`: CD AD Z RA RD TC AA; those of the response begin at bit 8."""
_QUERY_DO = 0x80
_OPT, _TSIG = 41, 250
_MOST_RECORDS = 65535 // 11
_MOST_DATA = 65535
_LAST = 253_402_300_800 * 1_000_000


@dataclass(frozen=True, slots=True)
class Signature:
    """What the items of one signature share: columns of queries and of responses, and which of both there are.

    `bits` are those of the headers, None where they were not recorded; `words` those of the query's EDNS.
    """

    has: int
    is_ipv6: bool | None
    columns: Mapping[str, Row]
    bits: Mapping[str, int | None]
    edns: int | None
    words: frozenset[str]


@dataclass(slots=True)
class Block:
    """A block as it is read; its tables and parameters come before the items that need them. Owned by one reading.

    `unasked` counts responses without a question that stand beside a query with one.
    """

    parameters: Parameters | None = None
    earliest: int | None = None
    tables: Tables = field(default_factory=Tables)
    signatures: dict[int, Signature | NoRow] = field(default_factory=dict)
    additional: dict[int, Additional] = field(default_factory=dict)
    unasked: int = 0


def read_item(value: Value, block: Block) -> list[Row] | NoRow:
    """Rows without their place; or why there is none (kind and reason)."""
    try:
        return _read_item(mapping(value), block)
    except MessageError as error:
        return REJECT, str(error)


def _read_item(item: dict[int, Value], block: Block) -> list[Row] | NoRow:
    if block.parameters is None:
        raise MessageError("bad-parameters")
    signature = _signature(number(item, _SIGNATURE), block, block.parameters)
    if isinstance(signature, tuple):
        return signature
    if (asked := number(item, _NAME)) is None:
        return (SKIP, "no-question") if signature.has & _NO_QUESTION else (REJECT, "no-name")
    ends = _client(item, signature, block.tables, block.parameters)
    times = _times(item, signature, block.earliest, block.parameters.ticks)
    halves = ((QUERY, _HAS_QUERY, _NO_QUESTION), (RESPONSE, _HAS_RESPONSE, _NO_QUESTION_BACK))
    there = [(event, has_none) for event, has, has_none in halves if signature.has & has]
    named = [event for event, has_none in there if not signature.has & has_none]
    rows = [row for event in named for row in _message(event, item, asked, signature, block, ends | times[event])]
    block.unasked += len(there) - len(named) if rows else 0
    return rows or (SKIP, "no-question")


def _signature(index: int | None, block: Block, parameters: Parameters) -> Signature | NoRow:
    if index is None:
        raise MessageError("no-event")
    found = block.signatures.get(index)
    return found or keep(block.signatures, index, _read_signature(index, block.tables, parameters))


def _read_signature(index: int, tables: Tables, parameters: Parameters) -> Signature | NoRow:
    """Or why its items are no rows: what they are was not recorded, or is no lookup."""
    values = mapping(tables.entry(SIGNATURES, index))
    has, opcode = number(values, _HAS), number(values, _OPCODE)
    if not has or not has & (_HAS_QUERY | _HAS_RESPONSE):
        return REJECT, "no-event"
    if opcode is None and not parameters.queries_alone:
        return REJECT, "no-opcode"
    if other := no_lookup(opcode):
        return other
    transport, rcode, bits = number(values, _TRANSPORT), number(values, _RCODE, 0xFFFF), number(values, _BITS)
    is_ipv6 = None if transport is None else bool(transport & 1)
    common = {
        **_server(values, tables, parameters, is_ipv6=is_ipv6), **_kind(number(values, _KIND), tables),
        "transport": None if transport is None else _TRANSPORTS.get(transport >> 1 & 15),
        "vantage": " ".join(filter(None, (parameters.host, _role(values)))) or None,
    }  # fmt: skip
    edns, words = _query_edns(values, has, bits, tables)
    response = {} if rcode is None else {"rcode": rcode_name(rcode)}
    return Signature(
        has, is_ipv6, {QUERY: common | {"event": QUERY}, RESPONSE: common | {"event": RESPONSE, **response}},
        {QUERY: _header(bits, 0), RESPONSE: _header(bits, 8)}, edns, words,
    )  # fmt: skip


def _server(values: dict[int, Value], tables: Tables, parameters: Parameters, *, is_ipv6: bool | None) -> Row:
    index, port = number(values, _SERVER), _port(values, _SERVER_PORT)
    server = None if index is None else tables.address(index, parameters.server_bits, is_ipv6=is_ipv6)
    return {"server": server, "server_port": port}


def _port(values: dict[int, Value], key: int) -> int | None:
    port = number(values, key)
    if port is not None and port > 65535:
        raise MessageError("bad-port")
    return port


def _kind(index: int | None, tables: Tables) -> Row:
    if index is None:
        return {}
    type_, class_ = tables.kind(index)
    return {"type": type_name(type_), "class": class_name(class_)}


def _role(values: dict[int, Value]) -> str | None:
    role = number(values, _ROLE)
    return _ROLES[role] if role is not None and role < len(_ROLES) else None


def _query_edns(
    values: dict[int, Value], has: int, bits: int | None, tables: Tables
) -> tuple[int | None, frozenset[str]]:
    """The version, if there is one, and words of its flags and options."""
    version, options = number(values, _EDNS, 255), number(values, _OPTIONS)
    if not has & _QUERY_EDNS or version is None:
        return None, frozenset()
    data = b"" if options is None else tables.octets(options)
    return version, option_words(data, 0, len(data)) | ({"DO"} if (bits or 0) & _QUERY_DO else set())


def _header(bits: int | None, shift: int) -> int | None:
    if bits is None:
        return None
    return sum(flag for place, flag in enumerate(_FLAGS) if bits >> shift >> place & 1)


def _client(item: dict[int, Value], signature: Signature, tables: Tables, parameters: Parameters) -> Row:
    index = number(item, _CLIENT)
    client = None if index is None else tables.address(index, parameters.client_bits, is_ipv6=signature.is_ipv6)
    return {"client": client, "port": _port(item, _PORT)}


def _times(item: dict[int, Value], signature: Signature, earliest: int | None, ticks: int) -> dict[str, Row]:
    """Of the query and of the response; none where the source states none."""
    offset, delay = number(item, _OFFSET, MOST), item.get(_DELAY)
    if type(delay) is not int and delay is not None:
        raise MessageError(UNWANTED)
    if offset is None or earliest is None:
        return {QUERY: {}, RESPONSE: {}}
    first = _time(earliest + offset, ticks)
    if not signature.has & _HAS_QUERY:
        return {QUERY: {}, RESPONSE: first}
    return {QUERY: first, RESPONSE: {} if delay is None else _time(earliest + offset + delay, ticks)}


def _time(at: int, ticks: int) -> Row:
    """At so many ticks since 1970; `time_digits` are those that are stated in full."""
    micros = at * 1_000_000 // ticks
    if not 0 <= micros < _LAST:
        raise MessageError("bad-time")
    return {"time": micros, "time_digits": next(d for d in (9, 6, 3, 0) if 10**d <= ticks), "time_zone": "UTC"}


def _message(
    event: str, item: dict[int, Value], asked: int, signature: Signature, block: Block, common: Row
) -> list[Row]:  # fmt: skip
    tables = block.tables
    more = mapping(item.get(_EXTENDED[event], {}))
    additional, answers = _additional(number(more, _ADDITIONAL), block), number(more, _ANSWERS)
    common = signature.columns[event] | common | {"flags": _flags(event, signature, additional)}
    name, written = tables.name(asked)
    rows = [common | {"name": name, "name_as_written": written}]
    rows += [common | question for question in _more_questions(number(more, _MORE_QUESTIONS), tables)]
    if answers is not None:
        rows[0]["answers"] = _answers(tables, answers)
    return rows


def _more_questions(index: int | None, tables: Tables) -> Iterator[Row]:
    """The second and all others."""
    places = [] if index is None else _indexes(tables.entry(QUESTION_LISTS, index), MOST_QUESTIONS - 1)
    for place in places:
        values = mapping(tables.entry(QUESTIONS, place))
        name, kind = number(values, 0), number(values, 1)
        if name is None or kind is None:
            raise MessageError(UNWANTED)
        columns = tables.name(name)
        yield {"name": columns[0], "name_as_written": columns[1], **_kind(kind, tables)}


def _indexes(value: Value, most: int) -> list[int]:
    found = [index for index in value if type(index) is int and index >= 0] if isinstance(value, list) else None
    if found is None or found != value:
        raise MessageError(UNWANTED)
    if len(found) > most:
        raise MessageError("too-many-questions" if most < MOST_QUESTIONS else "too-many-records")
    return found


def _records(tables: Tables, index: int) -> list[Record]:
    return [tables.record(place) for place in _indexes(tables.entry(RECORD_LISTS, index), _MOST_RECORDS)]


@dataclass(frozen=True, slots=True)
class Additional:
    """What flags take from the additional records of a message: EDNS, and whether it is signed (RFC 8945)."""

    edns: int | None = None
    words: frozenset[str] = frozenset()


def _additional(index: int | None, block: Block) -> Additional:
    if index is None:
        return Additional()
    found = block.additional.get(index)
    return found or keep(block.additional, index, _read_additional(block.tables, _records(block.tables, index)))


def _read_additional(tables: Tables, records: list[Record]) -> Additional:
    signed = frozenset({"TSIG"} if any(record.type == _TSIG for record in records) else ())
    options = [record for record in records if record.type == _OPT]
    if len(options) != 1 or options[0].ttl is None:
        return Additional(words=signed)
    (found,) = options
    data = b"" if found.data is None else tables.octets(found.data)
    words = option_words(data, 0, len(data)) | ({"DO"} if options[0].ttl & 0x8000 else set())
    return Additional(options[0].ttl >> 16 & 255, words | signed)


def _flags(event: str, signature: Signature, additional: Additional) -> str | None:
    """Null where the bits of the header were not recorded: no word would say that a bit is not set."""
    bits = signature.bits[event]
    if bits is None:
        return None
    if event == RESPONSE:
        return flag_words(bits, additional.edns, additional.words)
    return flag_words(bits, signature.edns, signature.words | (additional.words & {"TSIG"}))


def _answers(tables: Tables, index: int) -> list[dict[str, Any]]:
    found, left = [], _MOST_DATA
    for record in _records(tables, index):
        data = None if record.data is None else tables.octets(record.data)
        left -= len(data or b"")
        if left < 0:
            raise MessageError("too-many-records")
        kind = type_name(record.type)
        written = None if data is None else rdata_text(data, 0, len(data), kind, record.class_)
        found.append({"name": tables.name(record.name)[0], "type": kind, "ttl": record.ttl, "data": written})
    return found
