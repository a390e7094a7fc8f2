"""Amounts in texts for people: grouped in thousands, and one of a thing is no plural."""

from __future__ import annotations


def amount(count: int, noun: str) -> str:
    """`1 row`, `203,150 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
