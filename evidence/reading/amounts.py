"""Amounts in texts for people: grouped in thousands, and one of a thing is no plural."""

from __future__ import annotations


def amount(count: int, noun: str) -> str:
    """`1 row`, `203,150 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def found_in(count: int, noun: str, total: int, place: str) -> str:
    """`3 lookups in the first 4 lines`, `1 lookup in the first line`."""
    return f"{amount(count, noun)} in the first {place if total == 1 else amount(total, place)}"
