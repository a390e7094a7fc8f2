"""IPv4 addresses as columns: what `ipaddress` says of each."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest

from evidence.reading.gather import padded
from evidence.wire.address_columns import addresses
from evidence.wire.octets import Octets

EVERY = [bytes((value + place * 85) % 256 for place in range(4)) for value in range(256)]


@pytest.mark.parametrize("found", [[], EVERY[:1], [b"\0\0\0\0"], EVERY, EVERY[7:8] * 5, [b"\xff\xff\xff\xff", *EVERY]])
def test_addresses_are_written_as_elsewhere(found: list[bytes]) -> None:
    octets, places = Octets(padded(b"".join(found))), np.arange(len(found)) * 4
    made = addresses(octets, places, np.zeros(len(found), dtype=bool))
    made.validate(full=True)
    assert made.to_pylist() == [str(ipaddress.IPv4Address(address)) for address in found]
