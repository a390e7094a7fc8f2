"""Who looked a name up, how often, and with what share of all its lookups: lookups per client, first to last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evidence.analyses import engine
from evidence.analyses.result import ResultWriter, share
from evidence.errors import AnalysisError
from evidence.output import Output, written
from evidence.table.parquet import metadata
from evidence.table.schema import RESPONSE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evidence.digest import Digest

ID = "querier_concentration@1"
UNSTATED = "(not stated)"
"""Stands for the client where a record names none."""
RANKS = 10
ROWS = 100
ASSUMPTIONS = (
    "Each line of the log that names the name is one lookup; repeated lines are counted each.",
    "Names are compared without regard to case and without the final dot.",
    "A client is the address that the server wrote down.",
)
LIMITS = (
    "Shares are shares of what is in this file. Were lookups by others left out, every share would be smaller.",
    "Counts alone do not tell mail filters, resolvers with many users and programs of one kind apart.",
)


def lookups_of(table: Any, name: str) -> Any:
    """The lookups of a name: a record that holds a response alone tells of a lookup that another record holds."""
    found = table.filter((table["name"] == name) & (table["event"] != RESPONSE))
    return found.mutate(client=found["client"].fill_null(UNSTATED))


class Words:
    """What stands in every line of a finding: nothing where a record is binary or writes the name in another way."""

    def __init__(self, about: Mapping[str, str], table: Any, name: str) -> None:
        others = table.filter((table["name"] == name) & table["name_as_written"].notnull())
        spelled = others["name_as_written"].lower().re_replace(r"\.$", "")
        self._name = name
        self._stand = about["custos.text"] == "yes" and not others.filter(spelled != name).count().to_pyarrow().as_py()

    def of(self, *more: str) -> list[str]:
        """The name, and what else is said to stand there."""
        return [self._name, *more] if self._stand else []


def per_client(table: Any, name: str) -> Any:
    """Lookups, first and last a client, the most frequent first."""
    asked = lookups_of(table, name)
    counted = asked.group_by("client").agg(lookups=asked.count(), first=asked["time"].min(), last=asked["time"].max())
    return counted.order_by(counted["lookups"].desc(), "client")


def spans(table: Any, name: str, keep: Any = None) -> Any:
    """Byte ranges of the lookups of a name in the order of the source."""
    asked = lookups_of(table, name)
    if keep is not None:
        asked = asked.filter(keep(asked))
    return engine.batches(asked.select("line", "start", "stop").order_by("start"))


def run(paths: dict[str, Path], digests: dict[str, Digest], parameters: dict[str, Any], folder: Path) -> list[Output]:
    """Raises `AnalysisError` for parameters that cannot be used."""
    name = name_parameter(parameters, {"name"})
    about = metadata(paths["table"])
    blob = about["custos.source"]
    writer = ResultWriter(ID, parameters, list(digests.items()), folder)
    with engine.tables(lookups=paths["table"]) as opened:
        table = opened["lookups"]
        clients = per_client(table, name).to_pyarrow().to_pylist()
        words = Words(about, table, name)
        total = writer.finding(
            "lookups", f"Lookups of {name}", blob, spans(table, name), unit="lookups", contains=words.of(),
            facts=_ends(clients),
        )  # fmt: skip
        _ranked(writer, table, name, blob, clients, words)
        ranked = [client["client"] for client in clients[:RANKS]]
        if len(clients) > RANKS:
            rest = spans(table, name, lambda asked: asked["client"].notin(ranked))
            others = total - sum(client["lookups"] for client in clients[:RANKS])
            writer.finding(
                "others", f"Lookups by clients after the first {RANKS}", blob, rest, unit="lookups",
                contains=words.of(), facts={"share": share(others, total)},
            )  # fmt: skip
    return writer.close(
        title=f"Who looked up {name}", answer=_answer(name, clients, total), table=_rows(clients, total),
        assumptions=ASSUMPTIONS, limits=LIMITS,
    )  # fmt: skip


def name_parameter(parameters: dict[str, Any], known: set[str]) -> str:
    """The name asked for. Raises `AnalysisError`."""
    name = parameters.get("name")
    if not isinstance(name, str) or not name or name != name.lower() or set(parameters) - known:
        raise AnalysisError(f"parameters {parameters}: wanted are {sorted(known)}; the name in lower case")
    return name


def _ranked(
    writer: ResultWriter, table: Any, name: str, blob: str, clients: list[dict[str, Any]], words: Words
) -> None:
    before, total = 0, sum(client["lookups"] for client in clients)
    for rank, client in enumerate(clients[:RANKS], 1):
        address = client["client"]
        before += client["lookups"]
        facts = {"client": address, "share": share(client["lookups"], total), "cumulative": share(before, total)}
        writer.finding(
            f"client-{rank}", f"Lookups by {address}", blob,
            spans(table, name, lambda asked, address=address: asked["client"] == address),
            unit="lookups", contains=words.of(address), facts=facts | _ends([client]),
        )  # fmt: skip


def _ends(clients: list[dict[str, Any]]) -> dict[str, str]:
    """Of those records that have a time."""
    timed = [client for client in clients if client["first"] is not None]
    if not timed:
        return {}
    first, last = min(client["first"] for client in timed), max(client["last"] for client in timed)
    return {"first": written(first), "last": written(last)}


def _answer(name: str, clients: list[dict[str, Any]], total: int) -> str:
    if not clients:
        return f"No lookup of {name} stands in this file."
    top = clients[0]
    text = f"{top['client']} made {top['lookups']:,} of {total:,} lookups of {name} ({_percent(top['lookups'], total)})"
    if len(clients) > 1:
        both = top["lookups"] + clients[1]["lookups"]
        text += (
            f"; {clients[1]['client']} made {clients[1]['lookups']:,} ({_percent(clients[1]['lookups'], total)}), "
            f"the two together {_percent(both, total)} of those by {len(clients)} clients"
        )
    return text + "."


def _percent(part: int, whole: int) -> str:
    return f"{share(part, whole)['percent']} %"


def _rows(clients: list[dict[str, Any]], total: int) -> dict[str, Any]:
    rows, before = [], 0
    for rank, client in enumerate(clients[:ROWS], 1):
        before += client["lookups"]
        rows.append([
            rank, client["client"], client["lookups"], share(client["lookups"], total)["percent"],
            share(before, total)["percent"], written(client["first"]), written(client["last"]),
        ])  # fmt: skip
    columns = ["rank", "client", "lookups", "share %", "cumulative %", "first", "last"]
    return {"columns": columns, "rows": rows, "clients": len(clients)}
