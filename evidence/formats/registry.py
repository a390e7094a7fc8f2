"""Formats by name and version: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.formats import bind, delimited, jsonl, pcap, pcapng

if TYPE_CHECKING:
    from evidence.formats.reading import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.procedure: module.FORMAT
    for module in (
        bind,
        delimited,
        jsonl,
        pcap,
        pcapng,
    )
}
