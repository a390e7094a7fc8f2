"""The founding case as a reconstruction: synthetic files with the published counts, which say themselves what they are.

Everything comes from a seed. Client addresses are from the ranges kept for documentation (RFC 5737); the traffic around
the lookups of the name is made up. Nothing in these files is evidence of anything.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "mail1.trump-email.com"
LABEL = "# SYNTHETIC RECONSTRUCTION made by a program from published counts; not evidence, no line of it was recorded\n"
ORDINARY_LINES = 200_000
FIRST_CLIENT, SECOND_CLIENT, DUTCH_CLIENT = "192.0.2.17", "198.51.100.42", "203.0.113.77"
COUNTS = {FIRST_CLIENT: 2820, SECOND_CLIENT: 714}
OTHERS = 36
_BEGIN = dt.datetime(2016, 5, 4, tzinfo=dt.UTC)
_DAYS = 143  # 4 May to 23 September 2016, both included
_SEEN = [dt.datetime(2016, 8, 15, 9, 41, 7, 218_000, dt.UTC), dt.datetime(2016, 8, 15, 14, 3, 52, 904_000, dt.UTC)]
_OTHER_CLIENTS = [f"203.0.113.{host}" for host in (5, 9, 18, 31, 40, 58, 66, 90)]
_HOURLY = (2, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 9, 10, 11, 11, 10, 8, 6, 5, 4, 4, 3, 2)
_WORDS = ("news", "mail", "www", "cdn", "shop", "img", "login", "static", "api", "update", "ns1", "mx", "m", "video")
_ZONES = (
    "example.com",
    "example.net",
    "example.org",
    "test.example",
    "bulletin.example",
    "bank.example",
    "clinic.example",
)
_TYPES = ("A", "A", "A", "AAAA", "AAAA", "MX", "TXT", "PTR", "SRV", "NS")


def query_log(seed: int = 2016) -> Iterator[bytes]:
    """The BIND query log, line by line; the same bytes for the same seed."""
    chance = random.Random(seed)  # noqa: S311 -- a reconstruction has to come out the same each time
    lines = [*_lookups(chance), *(_ordinary(chance) for _ in range(ORDINARY_LINES))]
    lines.sort(key=lambda line: line[0])
    yield LABEL.encode()
    for time, text in lines:
        yield f"{time:%d-%b-%Y %H:%M:%S}.{time.microsecond // 1000:03} {text}\n".encode()


def sightings_csv() -> bytes:
    """The third party's two sightings: 15 August 2016, from the Netherlands, seconds off our clock."""
    rows = [
        f"{seen + dt.timedelta(seconds=offset):%Y-%m-%dT%H:%M:%SZ},{NAME},A,Netherlands,1,third party\n"
        for seen, offset in zip(_SEEN, (3, -5), strict=True)
    ]
    return (LABEL + "time,name,type,place,count,observer\n" + "".join(rows)).encode()


def _lookups(chance: random.Random) -> Iterator[tuple[dt.datetime, str]]:
    for client, count in COUNTS.items():
        for _ in range(count):
            yield _time(chance), _query(chance, client, NAME, "A")
    for time in _SEEN:
        yield time, _query(chance, DUTCH_CLIENT, NAME, "A")
    for n in range(OTHERS - len(_SEEN)):
        time = _time(chance)
        while any(abs(time - seen) < dt.timedelta(minutes=10) for seen in _SEEN):
            time = _time(chance)
        yield time, _query(chance, _OTHER_CLIENTS[n % len(_OTHER_CLIENTS)], NAME, "A")


def _ordinary(chance: random.Random) -> tuple[dt.datetime, str]:
    name = f"{_pick(chance, _WORDS)}{_below(chance, 40)}.{_pick(chance, _ZONES)}"
    client = f"192.0.2.{100 + _below(chance, 150)}"
    if _below(chance, 500) == 0:
        port = 1024 + _below(chance, 64000)
        text = f"query-errors: info: client {client}#{port} ({name}): query failed (SERVFAIL) for {name}/IN/A"
        return _time(chance), text
    return _time(chance), _query(chance, client, name, _pick(chance, _TYPES))


def _query(chance: random.Random, client: str, name: str, kind: str) -> str:
    port = 1024 + _below(chance, 64000)
    flags = _pick(chance, ("+", "-", "+E(0)", "-E(0)DC", "+E(0)K"))
    return f"queries: info: client {client}#{port} ({name}): query: {name} IN {kind} {flags} (198.51.100.53)"


def _time(chance: random.Random) -> dt.datetime:
    place = _below(chance, sum(_HOURLY))
    hour = 0
    while place >= _HOURLY[hour]:
        place, hour = place - _HOURLY[hour], hour + 1
    milliseconds = _below(chance, 3_600_000)
    return _BEGIN + dt.timedelta(days=_below(chance, _DAYS), hours=hour, milliseconds=milliseconds)


def _pick(chance: random.Random, items: tuple[str, ...]) -> str:
    return items[_below(chance, len(items))]


def _below(chance: random.Random, limit: int) -> int:
    """From `random()` alone, which is the same on every version of Python."""
    return int(chance.random() * limit)
