"""`querier_concentration@1` made a second time: who looked a name up, from the lines of all its lookups."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from evidence.errors import AnalysisError
from evidence.verify.fields import written
from evidence.verify.sources import refuse_no_partition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evidence.verify.claims import Claim, Client, Gather

ID = "querier_concentration@1"
GATHER: Final[dict[str, Gather]] = {"lookups": "clients"}
RANKS = 10
ROWS = 100
COLUMNS = ["rank", "client", "lookups", "share %", "cumulative %", "first", "last"]

type Ranked = Sequence[tuple[str, Client]]


def expected(parameters: dict[str, Any], claims: Mapping[str, Mapping[str, Claim]]) -> dict[str, Any]:
    """Title, answer, findings and table. Raises `AnalysisError` if the findings are none of this procedure."""
    name = parameters.get("name")
    if not isinstance(name, str) or set(parameters) != {"name"} or "lookups" not in claims:
        raise AnalysisError(f"parameters {parameters}, findings {list(claims)}; a name and its lookups are wanted")
    refuse_other_files(claims, list(claims))
    clients = ranked(claims["lookups"])
    parts = [part for finding, part in claims.items() if finding != "lookups"]
    refuse_no_partition([claim.ranges for claim in claims["lookups"].values()], _ranges(parts), "clients")
    return {
        "title": f"Who looked up {name}", "answer": answer(name, clients),
        "findings": list(_findings(name, clients)), "table": _table(clients),
    }  # fmt: skip


def refuse_other_files(claims: Mapping[str, Mapping[str, Claim]], names: Sequence[str]) -> None:
    """Raises `AnalysisError` unless the lines of these findings lie in one file."""
    blobs = {blob for name in names for blob in claims[name]}
    if len(blobs) > 1:
        raise AnalysisError(f"lines of {', '.join(names)} in {len(blobs)} files; this procedure reads one")


def ranked(claims: Mapping[str, Claim]) -> Ranked:
    """Clients with their lookups, the most frequent first, those of one count by their address."""
    claim = next(iter(claims.values()), None)
    return sorted(claim.rows.clients.items(), key=lambda item: (-item[1].lookups, item[0])) if claim else ()


def _ranges(parts: Sequence[Mapping[str, Claim]]) -> list[Any]:
    return [claim.ranges for part in parts for claim in part.values()]


def _findings(name: str, clients: Ranked) -> Any:
    total, before = _total(clients), 0
    yield {"name": "lookups", "title": f"Lookups of {name}", **_number(total), **_ends(clients)}
    for rank, (address, client) in enumerate(clients[:RANKS], 1):
        before += client.lookups
        yield {
            "name": f"client-{rank}", "title": f"Lookups by {address}", **_number(client.lookups),
            "client": address, "share": share(client.lookups, total), "cumulative": share(before, total),
            **_ends([(address, client)]),
        }  # fmt: skip
    if len(clients) > RANKS:
        title = f"Lookups by clients after the first {RANKS}"
        yield {"name": "others", "title": title, **_number(total - before), "share": share(total - before, total)}


def _number(value: int) -> dict[str, Any]:
    return {"value": value, "unit": "lookups"}


def _total(clients: Ranked) -> int:
    return sum(client.lookups for _address, client in clients)


def _ends(clients: Ranked) -> dict[str, str]:
    first = min((client.first for _, client in clients if client.first is not None), default=None)
    last = max((client.last for _, client in clients if client.last is not None), default=None)
    return {} if first is None else {"first": written(first), "last": written(last)}


def share(part: int, whole: int) -> dict[str, Any]:
    """In lowest terms, and its per cent rounded half to even."""
    fraction = Fraction(part, whole)
    return {"numerator": fraction.numerator, "denominator": fraction.denominator, "percent": percent(part, whole)}


def percent(part: int, whole: int) -> str:
    hundredths = round(Fraction(part * 10_000, whole))
    return f"{hundredths // 100}.{hundredths % 100:02}"


def answer(name: str, clients: Ranked) -> str:
    if not clients:
        return f"No lookup of {name} stands in this file."
    total = _total(clients)
    (one, first), *more = clients
    text = f"{one} made {first.lookups:,} of {total:,} lookups of {name} ({percent(first.lookups, total)} %)"
    if more:
        two, second = more[0]
        both = percent(first.lookups + second.lookups, total)
        text += f"; {two} made {second.lookups:,} ({percent(second.lookups, total)} %), the two together {both} % of "
        text += f"those by {len(clients)} clients"
    return f"{text}."


def _table(clients: Ranked) -> dict[str, Any]:
    rows, before, total = [], 0, _total(clients)
    for rank, (address, client) in enumerate(clients[:ROWS], 1):
        before += client.lookups
        rows.append([
            rank, address, client.lookups, percent(client.lookups, total), percent(before, total),
            written(client.first), written(client.last),
        ])  # fmt: skip
    return {"columns": COLUMNS, "rows": rows, "clients": len(clients)}
