"""`--columns time=seen_at,client=src,name=query`: our columns to those of a file."""

from __future__ import annotations

from evidence.errors import ReadingError


def columns_of(text: str) -> dict[str, str]:
    """Raises `ReadingError` with what to write."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if any(not (ours and mark and theirs) for ours, mark, theirs in pairs):
        raise ReadingError(f"--columns {text}: write time=seen_at,client=src,name=query")
    return {ours: theirs for ours, _, theirs in pairs}
