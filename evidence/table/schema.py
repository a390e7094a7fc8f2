"""The normalised columns (RFC 9499 words) and their versions; each is described in docs/tables.md.

Every row begins with its way back: the number of its line or record, and the bytes that carry it. `earlier` names
records before it without which it cannot be read (a message in several TCP segments).
"""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa

_FEW = 64
QUERY, RESPONSE, EXCHANGE = "query", "response", "exchange"
"""What a record of the lookups table tells of: a query, its response, or both in one record."""
_SPANS = pa.list_(pa.struct([pa.field("start", pa.int64()), pa.field("stop", pa.int64())]))
_ANSWERS = pa.list_(
    pa.struct([
        pa.field("name", pa.string()), pa.field("type", pa.string()), pa.field("ttl", pa.int64()),
        pa.field("data", pa.string()),
    ])
)  # fmt: skip
_WAY_BACK = [
    pa.field("line", pa.int64(), nullable=False),
    pa.field("start", pa.int64(), nullable=False),
    pa.field("stop", pa.int64(), nullable=False),
]
_TIME = [
    pa.field("time", pa.timestamp("us", "UTC")),
    pa.field("time_digits", pa.int8()),
    pa.field("time_zone", pa.string()),
]
_NAME = [
    pa.field("name", pa.string(), nullable=False),
    pa.field("name_as_written", pa.string()),
    pa.field("type", pa.string()),
]
LOOKUPS = pa.schema(
    [
        *_WAY_BACK,
        *_TIME,
        pa.field("event", pa.string(), nullable=False),
        pa.field("client", pa.string()),
        pa.field("port", pa.int32()),
        pa.field("server", pa.string()),
        pa.field("server_port", pa.int32()),
        *_NAME,
        pa.field("class", pa.string()),
        pa.field("flags", pa.string()),
        pa.field("transport", pa.string()),
        pa.field("rcode", pa.string()),
        pa.field("answers", _ANSWERS),
        pa.field("view", pa.string()),
        pa.field("vantage", pa.string()),
        pa.field("earlier", _SPANS),
    ]
)
SIGHTINGS = pa.schema(
    [
        *_WAY_BACK,
        *_TIME,
        pa.field("last", pa.timestamp("us", "UTC")),
        *_NAME,
        pa.field("data", pa.list_(pa.string())),
        pa.field("place", pa.string()),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("observer", pa.string()),
    ]
)
NAMES = {"lookups": "lookups@2", "sightings": "sightings@2"}


def complete(columns: dict[str, pa.Array], count: int, schema: pa.Schema) -> pa.Table:
    """A table of `count` rows with all columns of the schema; those that are not given are null.

    A text column may be given as an Arrow dictionary, and stays one.
    """
    given = [columns[field.name] if field.name in columns else pa.nulls(count, field.type) for field in schema]
    fields = [
        field.with_type(array.type) if pa.types.is_dictionary(array.type) else field
        for field, array in zip(schema, given, strict=True)
    ]
    return pa.table(given, schema=pa.schema(fields))


def in_order_of_source(rows: pa.Table, more: pa.Table) -> pa.Table:
    """Both as one table of the first's types, in the order of the source; both are in it by themselves.

    A few of the second are put between slices of the first, which is cheaper than to sort all.
    """
    if not len(more):
        return rows
    more = more.cast(rows.schema)
    if len(more) * _FEW > len(rows):
        return pa.concat_tables([rows, more]).unify_dictionaries().sort_by("start").combine_chunks()
    places = np.searchsorted(rows["start"].to_numpy(), more["start"].to_numpy()).tolist()
    parts = []
    for number, (begin, end) in enumerate(itertools.pairwise([0, *places, len(rows)])):
        parts += [rows.slice(begin, end - begin), more.slice(number, 1)]
    return pa.concat_tables(parts).combine_chunks()
