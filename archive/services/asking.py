"""Several witnesses or authorities asked at once: HTTP exchanges that run side by side, each with an end.

A talk is a generator: it yields the call that it wants made, and is sent the reply or thrown the error. So one thread
alone reads and writes rows, between the exchanges, and nobody waits for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from evidence.errors import EvidenceError, LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ANSWER_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Call:
    """A request; `within` are the seconds for the whole exchange, however slowly an answer comes in."""

    method: str
    url: str
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    within: float = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, media type without parameters, and content of an answer."""

    status: int
    kind: str
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


type Talk = Generator[Call, Reply, int]


def converse(talks: Mapping[str, Talk]) -> dict[str, int | EvidenceError]:
    """See all talks to their end; what each returned, or the error that ended it."""
    states = {name: _step(lambda talk=talk: next(talk)) for name, talk in talks.items()}  # type: ignore[misc] # a loop's variable, bound at once
    while calls := {name: state for name, state in states.items() if isinstance(state, Call)}:
        replies = asyncio.run(_exchange_all(list(calls.values())))
        for name, reply in zip(calls, replies, strict=True):
            states[name] = _answer(talks[name], reply)
    return {name: state for name, state in states.items() if not isinstance(state, Call)}


def _answer(talk: Talk, reply: Reply | LogError) -> Call | int | EvidenceError:
    if isinstance(reply, LogError):
        return _step(lambda: talk.throw(reply))
    return _step(lambda: talk.send(reply))


def _step(go_on: Callable[[], Call]) -> Call | int | EvidenceError:
    try:
        return go_on()
    except StopIteration as end:
        return int(end.value)
    except EvidenceError as error:
        return error


async def _exchange_all(calls: list[Call]) -> list[Reply | LogError]:
    async with httpx.AsyncClient(timeout=None, follow_redirects=False) as client:  # noqa: S113 -- each call has its end
        return await asyncio.gather(*(_exchange(client, call) for call in calls))


async def _exchange(client: httpx.AsyncClient, call: Call) -> Reply | LogError:
    """The reply, or why there is none that can be used."""
    headers = {"Content-Type": call.kind} if call.body else {}
    try:
        async with (
            asyncio.timeout(call.within),
            client.stream(call.method, call.url, content=call.body or None, headers=headers) as answer,
        ):
            return await _read(answer)
    except TimeoutError:
        return LogError(f"{call.url}: no whole answer within {call.within:.0f} seconds")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return LogError(f"{call.url}: {str(error) or type(error).__name__}")
    except LogError as error:
        return error


async def _read(answer: httpx.Response) -> Reply:
    """Raises `LogError` for an answer that is larger than answers are."""
    read = b""
    async for piece in answer.aiter_raw():  # as sent: what is packed small could unpack without end
        read += piece
        if len(read) > _ANSWER_LIMIT:
            raise LogError(f"{answer.url} answers without end")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    return Reply(answer.status_code, kind, read)
