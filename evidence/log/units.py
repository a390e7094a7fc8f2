"""Unit trees: lines of a file that can be shown one by one, the others staying hidden (trust-formats §7)."""

from __future__ import annotations

import base64
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from evidence.digest import Digest
from evidence.errors import FormatError, LogError
from evidence.log.hashing import leaf_hash, node_hash, split, tree_root
from evidence.strictjson import b64, members

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

DISCLOSURE_FORMAT = "custos/disclosure@1"
_SALT, _HASH = 16, 32


def lines_of(data: bytes) -> list[bytes]:
    """Units of a text: up to and including each newline; the last may lack it."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]] + ([tail] if (tail := data.rpartition(b"\n")[2]) else [])


def unit_salts(key: bytes, count: int) -> list[bytes]:
    """`AES-256(key, u128be(i))` for every unit: the CTR keystream from counter 0."""
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(_SALT * count))
    return [stream[at : at + _SALT] for at in range(0, len(stream), _SALT)]


def unit_leaves(key: bytes, units: Sequence[bytes]) -> list[bytes]:
    """Leaf hashes, in order."""
    return [leaf_hash(salt + unit) for salt, unit in zip(unit_salts(key, len(units)), units, strict=True)]


def unit_root(key: bytes, units: Sequence[bytes]) -> bytes:
    return tree_root(unit_leaves(key, units))


def disclose(key: bytes, units: Sequence[bytes], shown: Collection[int], blob: Digest) -> dict[str, Any]:
    """The disclosure that shows the units `shown` and hides the rest. Raises `LogError` if nothing is shown."""
    if not shown or not all(0 <= index < len(units) for index in shown):
        raise LogError(f"show at least one of the units 0 to {len(units) - 1}")
    leaves, salts = unit_leaves(key, units), unit_salts(key, len(units))
    return {
        "format": DISCLOSURE_FORMAT, "blob": str(blob), "unit": "line", "count": len(units),
        "root": _text(tree_root(leaves)),
        "shown": [[index, _text(salts[index]), _text(units[index])] for index in sorted(shown)],
        "hashes": _text(b"".join(_hidden(leaves, sorted(shown), 0, len(units)))), "receipt": None,
    }  # fmt: skip


def _hidden(leaves: Sequence[bytes], shown: Sequence[int], start: int, stop: int) -> Iterator[bytes]:
    at = bisect_left(shown, start)
    if at == len(shown) or shown[at] >= stop:
        yield tree_root(leaves[start:stop])
    elif stop - start > 1:
        middle = start + split(stop - start)
        yield from _hidden(leaves, shown, start, middle)
        yield from _hidden(leaves, shown, middle, stop)


def check_disclosure(value: dict[str, Any]) -> dict[int, bytes]:
    """The units shown, by index, if all of the disclosure holds. Raises `FormatError` or `LogError`."""
    members(value, {"format": str, "blob": str, "unit": str, "count": int, "root": str, "shown": list,
                    "hashes": str, "receipt": (str, dict, type(None))}, "disclosure")  # fmt: skip
    if value["format"] != DISCLOSURE_FORMAT:
        raise FormatError(f"disclosure: unknown format {value['format']!r}")
    Digest.parse(value["blob"])
    shown = [_shown(item) for item in value["shown"]]
    indices = [index for index, _, _ in shown]
    if not indices or indices[0] < 0 or indices[-1] >= value["count"] or any(a >= b for a, b in pairwise(indices)):
        raise LogError(f"disclosure: indices must be ascending, below {value['count']}, and at least one")
    data = b64(value["hashes"], "disclosure hashes")
    if len(data) % _HASH:
        raise LogError(f"disclosure: hashes of {len(data)} bytes are not a multiple of {_HASH}")
    hashes = [data[at : at + _HASH] for at in range(0, len(data), _HASH)][::-1]
    leaves = {index: leaf_hash(salt + unit) for index, salt, unit in shown}
    got, wanted = _walk(leaves, indices, hashes, 0, value["count"]), b64(value["root"], "disclosure root", _HASH)
    if hashes:
        raise LogError(f"disclosure: {len(hashes)} hashes are left over")
    if got != wanted:
        raise LogError(f"disclosure: got root {got.hex()}, wanted {wanted.hex()}")
    units = {index: unit for index, _, unit in shown}
    if value["unit"] == "line":
        _refuse_no_lines(units, value["count"])
    return units


def _refuse_no_lines(units: dict[int, bytes], count: int) -> None:
    """A line runs up to and including its one line end, which only the last may lack (trust-formats §7)."""
    for index, unit in units.items():
        ends = unit.count(b"\n")
        if not unit or ends > 1 or (ends == 1 and not unit.endswith(b"\n")) or (ends == 0 and index != count - 1):
            raise FormatError(f"disclosure: unit {index} of {count} is not one line")


def _shown(item: Any) -> tuple[int, bytes, bytes]:
    if not isinstance(item, list) or len(item) != 3 or type(item[0]) is not int:
        raise FormatError("disclosure: shown is a list of [index, salt, unit]")
    return item[0], b64(item[1], "unit salt", _SALT), b64(item[2], "unit")


def _walk(leaves: dict[int, bytes], indices: Sequence[int], hashes: list[bytes], start: int, stop: int) -> bytes:
    """`indices` are those of the leaves, ascending; `hashes` in the reverse order of their use."""
    at = bisect_left(indices, start)
    if at == len(indices) or indices[at] >= stop:
        if not hashes:
            raise LogError("disclosure: a hash is missing")
        return hashes.pop()
    if stop - start == 1:
        return leaves[start]
    middle = start + split(stop - start)
    left = _walk(leaves, indices, hashes, start, middle)
    return node_hash(left, _walk(leaves, indices, hashes, middle, stop))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
