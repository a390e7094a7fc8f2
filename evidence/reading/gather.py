"""Columns out of a chunk without a copy loop: token offsets in NumPy, values gathered by Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evidence.reading.swar import WORD, mask, printed_before

if TYPE_CHECKING:
    from collections.abc import Sequence

type Ints = np.ndarray[Any, np.dtype[np.int64]]
type Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_COMMA, _DOT = 44, 46
SHORT_NAME = 63  # octets: a name so short has no label that is too long
PADDING = 64  # so that a window of this many bytes may begin at any byte of a chunk


def padded(data: bytes) -> Bytes:
    """The bytes with zeros behind them. While they are joined other threads go on, which they do not at a sum."""
    return np.frombuffer(b"".join((data, bytes(PADDING))), dtype=np.uint8)


def strings(buffer: Bytes, starts: Ints, stops: Ints) -> pa.Array:
    """The ASCII texts `buffer[starts[i]:stops[i]]`; ranges ascend and do not overlap."""
    count = len(starts)
    if not count:
        return pa.array([], pa.string())
    offsets = np.empty(2 * count, dtype=np.int32)
    offsets[0::2], offsets[1::2] = starts, stops
    whole = pa.Array.from_buffers(pa.binary(), 2 * count - 1, [None, pa.py_buffer(offsets), pa.py_buffer(buffer)])
    return whole.take(pa.array(np.arange(0, 2 * count - 1, 2, dtype=np.int64))).view(pa.string())


def tokens(texts: pa.Array) -> tuple[Bytes, Ints, Ints]:
    """The characters of texts that `strings` or a parser made, padded, and where each text begins and ends in them."""
    offsets, characters = parts(texts)
    buffer = np.zeros(len(characters) + PADDING, dtype=np.uint8)
    buffer[: len(characters)] = characters
    return buffer, offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64)


def lowered(buffer: Bytes, starts: Ints, stops: Ints) -> pa.Array:
    """As `strings`, with A to Z as a to z."""
    return pc.ascii_lower(strings(buffer, starts, stops))


def stated(buffer: Bytes, starts: Ints, stops: Ints, *, small: bool = False) -> pa.Array:
    """As `strings` (`lowered` if `small`), with null for empty ones."""
    filled = stops > starts
    if not filled.any():
        return pa.nulls(len(starts), pa.string())
    texts = (lowered if small else strings)(buffer, starts, stops)
    return texts if filled.all() else _texts(*parts(texts), filled)


def names(buffer: Bytes, starts: Ints, stops: Ints) -> tuple[Any, dict[str, pa.Array]]:
    """Which names are short, printable and without escapes, and `name` and `name_as_written` of these.

    They are what `names.name_columns` makes of them.
    """
    return name_texts(strings(buffer, starts, stops))


def name_texts(written: pa.Array) -> tuple[Any, dict[str, pa.Array]]:
    """As `names`, of a column that `strings` or a parser made; null is no name."""
    if not len(written):
        return np.array([], dtype=np.int64), {"name": written, "name_as_written": written}
    offsets, characters = parts(written)
    sizes = np.diff(offsets)
    good = (sizes > 0) & (sizes <= SHORT_NAME)
    if len(characters):
        good &= (characters[np.minimum(offsets[:-1], len(characters) - 1)] != 46) | (sizes == 1)
        good[_odd_names(offsets, characters)] = False
    keep = np.flatnonzero(good)
    return keep, _spellings(written if len(keep) == len(good) else written.take(pa.array(keep)))


def _odd_names(offsets: Any, characters: Bytes) -> Any:
    """Which names hold an escape, an empty label or what is no printable ASCII; few files have any."""
    is_dot = characters == 46
    empty_label = is_dot[:-1] & is_dot[1:]
    is_plain = characters.min() > 32 and characters.max() < 127 and not (characters == 92).any()
    if is_plain and not empty_label.any():
        return np.array([], dtype=np.int64)
    ends = offsets[1:-1]
    empty_label[ends[(ends > 0) & (ends < len(characters))] - 1] = False  # the next name's first byte
    odd = (characters - np.uint8(33) > 93) | (characters == 92)
    odd[:-1] |= empty_label
    return np.searchsorted(offsets, np.flatnonzero(odd), side="right") - 1


def _spellings(written: pa.Array) -> dict[str, pa.Array]:
    """Names in lower case without a final dot, and as they were written where that is not the same."""
    if not len(written):
        return {"name": written, "name_as_written": written}
    offsets, characters = parts(written)
    name = pc.ascii_lower(written)
    dots = (characters[offsets[1:] - 1] == 46) & (offsets[1:] - offsets[:-1] > 1)
    if dots.any():
        name = strings(parts(name)[1], offsets[:-1], offsets[1:] - dots)
    if name.equals(written):
        return {"name": written, "name_as_written": pa.nulls(len(written), pa.string())}
    same = pc.equal(written, name)
    return {"name": name, "name_as_written": pc.if_else(same, pa.scalar(None, pa.string()), written)}


def parts(texts: pa.Array) -> tuple[Any, Bytes]:
    """Offsets and characters of texts that `strings` made."""
    _, offsets, characters = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[: len(texts) + 1] if len(texts) else np.zeros(1, dtype=np.int32)
    return ends, np.frombuffer(characters or b"", dtype=np.uint8)[: ends[-1]]


def is_dotted(texts: pa.Array) -> Any:
    """Which texts end in a dot."""
    offsets, characters = parts(texts)
    found = np.diff(offsets) > 0
    if len(characters):
        found &= characters[offsets[1:] - 1] == _DOT
    return found


def _texts(offsets: Any, characters: Bytes, filled: Any = None) -> pa.Array:
    bits = None if filled is None else pa.py_buffer(np.packbits(filled, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, [bits, pa.py_buffer(offsets), pa.py_buffer(characters)])


@dataclass(frozen=True, slots=True)
class Members:
    """The members of lists: how many each has, and where each member lies in `text`."""

    text: Bytes
    counts: Ints
    begins: Ints
    ends: Ints


def members(buffer: Bytes, starts: Ints, stops: Ints) -> Members:
    """What lies between the commas of each token; a byte has to stand behind a token that is no part of the next."""
    offsets, characters = parts(strings(buffer, starts, stops + 1))
    is_end, is_last = characters == _COMMA, np.zeros(len(characters), dtype=bool)
    is_end[offsets[1:] - 1] = is_last[offsets[1:] - 1] = True
    ends = np.flatnonzero(is_end)
    last = np.flatnonzero(is_last[ends])
    begins = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    return Members(padded(characters.tobytes()), np.diff(last, prepend=-1), begins, ends)


def few(buffer: Bytes, starts: Ints, stops: Ints) -> pa.Array:
    """As `stated`, for texts of which few differ: a dictionary of them where each has one to eight bytes."""
    sizes = stops - starts
    if not len(sizes) or sizes.min() < 1 or sizes.max() > 8:
        return stated(buffer, starts, stops)
    return word_texts(short_words(buffer, starts, stops))


def word_texts(word: Any) -> pa.Array:
    """The texts that `short_words` holds as a dictionary; none of them is 0."""
    if len(word) and (word == word[0]).all():
        return one_text(_word_text(word[0]), len(word))
    found = pa.array(word).dictionary_encode()
    return _dictionary(found.indices, [_word_text(one) for one in found.dictionary.to_numpy()])


def _word_text(word: np.uint64) -> str:
    return int(word).to_bytes(WORD, "little").rstrip(b"\0").decode()


def chosen_words(each: Sequence[str | None], places: Ints) -> pa.Array:
    """Of each row the word at its place, as a dictionary; None is null. Words may stand there twice."""
    if len(set(each)) < 2:
        return one_text(each[0] if each else None, len(places))
    words = {word: number for number, word in enumerate(word for word in dict.fromkeys(each) if word is not None)}
    numbers = np.array([-1 if word is None else words[word] for word in each], dtype=np.int32)[places]
    is_none = numbers < 0 if None in each else None
    return _dictionary(pa.array(numbers, mask=is_none), list(words))


def one_text(value: str | None, count: int) -> pa.Array:
    """One text, or none, so many times, as a dictionary."""
    if value is None:
        return pa.nulls(count, pa.string())
    return _dictionary(pa.array(np.zeros(count, dtype=np.int32)), [value])


def _dictionary(places: pa.Array, texts: list[str]) -> pa.DictionaryArray:
    """The text at each place; that all are places of one is not looked at again."""
    return pa.DictionaryArray.from_arrays(places, pa.array(texts, pa.string()), safe=False)


def constant(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    """One value so many times."""
    return pa.repeat(pa.scalar(value, kind), count)


def words(buffer: Bytes, starts: Ints) -> Any:
    """Eight bytes from each start as a little-endian number."""
    return np.ndarray((len(buffer) - WORD + 1,), dtype="<u8", buffer=buffer, strides=(1,))[starts]


def word_columns(buffer: Bytes, starts: Ints, count: int) -> Any:
    """So many words from each start as `words` has them, as columns; at most four."""
    return np.ascontiguousarray(windows(buffer, WORD * count)[starts].view("<u8").reshape(-1, count).T)


def word_columns_before(buffer: Bytes, starts: Ints, count: int, text: bytes) -> tuple[Any, Any]:
    """As `word_columns`, and where this text follows the words; all of it has at most as many bytes as the padding."""
    return _beside_text(buffer, starts, [("words", "<u8", (count,)), ("text", f"V{len(text)}")], text)


def word_columns_behind(buffer: Bytes, starts: Ints, text: bytes, count: int) -> tuple[Any, Any]:
    """As `word_columns_before`, of a text from each start on and the words behind it."""
    return _beside_text(buffer, starts, [("text", f"V{len(text)}"), ("words", "<u8", (count,))], text)


def _beside_text(buffer: Bytes, starts: Ints, parts: list[Any], text: bytes) -> tuple[Any, Any]:
    kind = np.dtype(parts)
    found = windows(buffer, kind.itemsize)[starts].view(kind)
    return np.ascontiguousarray(found["words"].T), found["text"] == np.void(text)


def windows(buffer: Bytes, size: int) -> Any:
    """The bytes from each place on, `size` of them as one value; few more cost little more to fetch than one."""
    return np.ndarray((len(buffer) - size + 1,), dtype=f"V{size}", buffer=buffer, strides=(1,))


def ahead(buffer: Bytes, starts: Ints, mark: int, count: int, rounds: int) -> Ints:
    """Where from each start on the first byte stands that is this mark or no printable ASCII.

    So many words (at most four) are looked at at once, and as many again for the rows in which they had none. Behind
    all of them if there is none, and at most where the padding begins: a window from there on lies in the buffer.
    """
    last, size = len(buffer) - PADDING, WORD * count
    found = np.minimum(starts, last)
    found = found + printed_before(word_columns(buffer, found, count), mark)
    for number in range(1, rounds):
        left = np.flatnonzero(found == starts + size * number)
        begin = np.minimum(found[left], last)
        found[left] = begin + printed_before(word_columns(buffer, begin, count), mark)
    return np.minimum(found, last)


def null_where(texts: pa.Array, is_null: Any) -> pa.Array:
    """The texts, and null where it is said."""
    if not is_null.any():
        return texts
    return _texts(*parts(texts), ~is_null)


def short_words(buffer: Bytes, starts: Ints, stops: Ints) -> Any:
    """Tokens of one to eight bytes as `literals` has them; 0 for any other."""
    sizes = stops - starts
    word = words(buffer, starts) & mask(sizes)
    word[sizes > WORD] = 0
    return word


def within(allowed: Any, buffer: Bytes, starts: Ints, stops: Ints) -> Any:
    """Where a token of any length holds allowed bytes only; ranges as in `strings`."""
    good = np.ones(len(starts), dtype=bool)
    texts = strings(buffer, starts, stops)
    if not len(texts) or not (stops > starts).any():
        return good
    offsets, characters = parts(texts)
    wrong = np.flatnonzero(~allowed[characters])
    if len(wrong):
        good[np.searchsorted(offsets, wrong, side="right") - 1] = False
    return good


def lower(buffer: Bytes) -> Any:
    """A to Z as a to z, all other bytes as they are; `uint8` wraps, so that one comparison finds the capitals."""
    return buffer | (((buffer - np.uint8(65)) < 26).view(np.uint8) << np.uint8(5))


def literals(*texts: bytes) -> Any:
    return np.array([int.from_bytes(text, "little") for text in texts], dtype=np.uint64)


def allowed(characters: bytes) -> Any:
    """A table that marks these bytes."""
    table = np.zeros(256, dtype=bool)
    table[list(characters)] = True
    return table
