"""Several are asked side by side, and whoever is silent, slow or endless ends its own talk and nobody else's."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from archive.services.asking import Call, Talk, converse
from evidence.errors import EvidenceError, LogError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.enable_socket
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n\r\n42"


@contextmanager
def listening(say: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request and then does to the connection what `say` does; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=once, args=(connection,), daemon=True).start()

        def once(connection: socket.socket) -> None:
            with connection:
                connection.recv(65536)
                try:
                    say(connection)
                except OSError:
                    return  # whoever asked has gone

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def well(connection: socket.socket) -> None:
    connection.sendall(ANSWER)


def silent(connection: socket.socket) -> None:
    connection.recv(1)  # until the other side has gone


def dripping(connection: socket.socket) -> None:
    for byte in ANSWER.replace(b": 2\r", b": 20000\r") + b"." * 20000:
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.01)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"." * 65536)


def talk(url: str, within: float = 60.0) -> Talk:
    reply = yield Call("GET", url, within=within)
    assert (reply.status, reply.kind) == (200, "text/plain")
    return int(reply.text)


def test_a_talk_gives_what_it_returns_and_may_take_several_turns() -> None:
    def twice(url: str) -> Talk:
        first = yield from talk(url)
        second = yield from talk(url)
        return first + second

    with listening(well) as url:
        assert converse({"one": talk(url), "two": twice(url)}) == {"one": 42, "two": 84}
    assert converse({}) == {}


def test_all_are_asked_at_once() -> None:
    """Each answers only after the other was asked as well."""
    both = threading.Barrier(2)

    def together(connection: socket.socket) -> None:
        both.wait(60)
        well(connection)

    with listening(together) as one, listening(together) as two:
        assert converse({"one": talk(one), "two": talk(two)}) == {"one": 42, "two": 42}


@pytest.mark.parametrize(("say", "words"), [(silent, "within"), (dripping, "within"), (endless, "without end")])
def test_whoever_does_not_answer_as_one_does_ends_its_own_talk(say, words) -> None:
    within = 0.5 if words == "within" else 60.0
    with listening(say) as bad, listening(well) as good:
        said = converse({"bad": talk(bad, within), "good": talk(good)})
    assert said["good"] == 42
    assert isinstance(said["bad"], LogError)
    assert words in str(said["bad"])


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "ftp://127.0.0.1/x", "http://[", "no address"])
def test_an_address_where_nobody_can_be_asked_is_an_error_of_ours(url) -> None:
    with listening(well) as good:
        said = converse({"bad": talk(url), "good": talk(good)})
    assert said["good"] == 42
    assert isinstance(said["bad"], EvidenceError)
