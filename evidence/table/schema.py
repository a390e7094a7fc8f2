"""The normalised columns (RFC 9499 words) and their versions: every row begins with its line and byte range."""

from __future__ import annotations

import pyarrow as pa

_SPAN = [
    pa.field("line", pa.int64(), nullable=False),
    pa.field("start", pa.int64(), nullable=False),
    pa.field("stop", pa.int64(), nullable=False),
    pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
]
LOOKUPS = pa.schema(
    [
        *_SPAN,
        pa.field("client", pa.string(), nullable=False),
        pa.field("port", pa.int32()),
        pa.field("name", pa.string(), nullable=False),
        pa.field("type", pa.string()),
        pa.field("class", pa.string()),
        pa.field("view", pa.string()),
    ]
)
SIGHTINGS = pa.schema(
    [
        *_SPAN,
        pa.field("name", pa.string(), nullable=False),
        pa.field("type", pa.string()),
        pa.field("place", pa.string()),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("observer", pa.string()),
    ]
)
NAMES = {"lookups": "lookups@1", "sightings": "sightings@1"}
