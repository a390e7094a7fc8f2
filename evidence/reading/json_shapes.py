"""The shape of a JSON line: its bytes without its values. Lines of one shape differ in nothing but these.

A program writes its members in one order, so most lines of a log have one of a few shapes. A shape is learned from a
line that is JSON; `json_lines` holds the others to it. Values are texts without escapes, truth values, whole numbers,
decimal fractions, and lists of such numbers; lines with an escape, a blank outside of texts or a byte beyond ASCII have
no shape here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from evidence.reading.jsonlines import object_of

type Path = tuple[str | int, ...]

TEXT, NUMBER, DECIMAL, NUMBERS, FLAG = "text", "number", "decimal", "numbers", "flag"
"""Kinds of values: a text, digits, digits with a point, a list of either, `true` or `false`."""
_FIXED = "fixed"
_BACKSLASH = b"\\"
_WRITTEN = rb"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
_PART = re.compile(
    rb'"(?P<text>[^"]*)"|(?P<numbers>\[%b(?:,%b)*\])|(?P<number>%b)(?![0-9.eE])|(?P<flag>true|false)|null'
    rb"|(?P<mark>[{}\[\]:,])" % (_WRITTEN, _WRITTEN, _WRITTEN)
)


@dataclass(slots=True)
class Shape:
    """Literal bytes around `slots` (path, kind), and the paths at which no value stands that differs (`null`, `{}`)."""

    literals: list[bytes] = field(default_factory=list)
    slots: list[tuple[Path, str]] = field(default_factory=list)
    fixed: set[Path] = field(default_factory=set)

    def kinds(self) -> dict[Path, str]:
        """What stands at each path."""
        return dict(self.slots)


def shape_of(line: bytes) -> Shape | None:
    """The shape of one line; None if it is no object, or has blanks, escapes or values of other kinds."""
    parts = list(_PART.finditer(line.removesuffix(b"\n")))
    if not line.endswith(b"\n") or b"".join(part[0] for part in parts) + b"\n" != line or _BACKSLASH in line:
        return None
    if not isinstance(object_of(line), dict):
        return None
    shape, literal, walk = Shape(), b"", _Walk()
    for part, following in zip(parts, [*parts[1:], parts[-1]], strict=True):
        kind = walk.step(part)
        if part["mark"] in (b"{", b"[") and following["mark"] in (b"}", b"]"):
            shape.fixed.add(walk.opened)
        if kind is None or kind == _FIXED:
            literal += part[0]
            if kind:
                shape.fixed.add(walk.path)
            continue
        before, after = _marks(kind)
        shape.literals.append(literal + before)
        shape.slots.append((walk.path, kind))
        literal = after
    shape.literals.append(literal + b"\n")
    return shape if _is_told_apart(shape) else None


def _marks(kind: str) -> tuple[bytes, bytes]:
    """What stands around a value of this kind."""
    return {TEXT: (b'"', b'"'), NUMBERS: (b"[", b"]")}.get(kind, (b"", b""))


def _is_told_apart(shape: Shape) -> bool:
    """Whether a quote stands behind each value but the last: by quotes alone it is known where a value ends."""
    return all(b'"' in literal for literal in shape.literals[1:-1])


class _Walk:
    """Where in a JSON object its parts stand, one after the other."""

    def __init__(self) -> None:
        self.path: Path = ()
        self.opened: Path = ()
        self._above: list[tuple[Path, bool]] = []  # each open object or array, and whether it is an array
        self._is_key = False

    def step(self, part: re.Match[bytes]) -> str | None:
        """Of which kind the value is that the part is; `_FIXED` for one that is no slot, None if it is no value."""
        mark = part["mark"]
        if not mark:
            if self._is_key:
                self.path = (*self._above[-1][0], part["text"].decode("latin-1"))
                return None
            return _kind(part)
        if mark in b"{[":
            self.opened = self.path
            self._above.append((self.path, mark == b"["))
            self._is_key = mark == b"{"
            self.path = (*self.path, 0) if mark == b"[" else self.path
        elif mark in b"}]":
            self.path = self._above.pop()[0]
            self._is_key = False
        elif mark == b",":
            above, is_array = self._above[-1]
            self._is_key = not is_array
            self.path = (*above, int(self.path[len(above)]) + 1) if is_array else above
        else:
            self._is_key = False
        return None


def _kind(part: re.Match[bytes]) -> str:
    if part["number"]:
        return DECIMAL if b"." in part["number"] else NUMBER
    return part.lastgroup if part.lastgroup in (TEXT, NUMBERS, FLAG) else _FIXED
