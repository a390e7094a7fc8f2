"""Opcodes of the DNS (IANA, Domain Name System Parameters): a message of another one than QUERY (0) is no lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evidence.reading.batch import REJECT, SKIP

if TYPE_CHECKING:
    from evidence.reading.format import NoRow

OPCODES = {1: "iquery", 2: "status", 4: "notify", 5: "update", 6: "stateful"}
_GREATEST = 15


def no_lookup(opcode: int | None) -> NoRow | None:
    """Why what has this opcode is no row (kind and reason), the same in all formats.

    None if it may be one: its opcode is QUERY, or is not stated.
    """
    if not opcode:
        return None
    if not 0 < opcode <= _GREATEST:
        return REJECT, "bad-opcode"
    return SKIP, f"opcode-{OPCODES.get(opcode, opcode)}"
