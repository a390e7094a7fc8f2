"""Segments that are read many at once and those that are read one by one belong to the same connections."""

from __future__ import annotations

import pytest

from tests.evidence.formats import packets as make
from tests.evidence.formats.packets import ACK, SYN, framed, message, tcp
from tests.evidence.formats.streams import capture, plain

HOSTS = {4: ("192.0.2.17", "198.51.100.53"), 6: ("2001:db8::17", "2001:db8:5353::53")}
DATA = framed(message())


def sent(data: bytes, sequence: int, flags: int = ACK, version: int = 6, host: int = 0) -> bytes:
    source, target = HOSTS[version]
    return make.ip(tcp(data, sequence, flags), 6, f"{source}{host or ''}", target)


@pytest.mark.parametrize("version", HOSTS)
def test_a_whole_message_repeats_the_parts_that_it_was_sent_in_before(version: int) -> None:
    """Both parts are read one by one, what opens the connection and the whole message are not."""
    parts = [(b"", 99, SYN), (DATA[:9], 100, ACK), (DATA[9:], 109, ACK), (DATA, 100, ACK)]
    result = capture(*(sent(*part, version) for part in parts))
    assert plain(result) == [(3, "www.example"), (1, "tcp-control"), (2, "tcp-segment"), (4, "tcp-repeat")]


def test_connections_that_differ_in_the_version_of_ip_or_in_their_last_octet_are_apart() -> None:
    other = make.ip(tcp(DATA, 100), 6, "192.0.2.17", "198.51.100.54")
    packets = [sent(DATA[:9], 100, version=4), sent(DATA, 100), sent(DATA, 100, host=1), other]
    assert [row["line"] for row in capture(*packets).rows] == [2, 3, 4]
