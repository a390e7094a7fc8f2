"""The members that JSON lines are known to have, as Arrow's parser is told of them.

It is told of all: members in the order of the lines are found by their place, and one that is not known is refused,
where else each would become a column of as many values as there are lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEEPEST = 64  # levels; what goes deeper is sooner read by itself


@dataclass(frozen=True)
class Members:
    """The members known so far, `found`; those `wanted` have the types that are wanted."""

    wanted: pa.Schema
    found: pa.Schema = field(default_factory=lambda: pa.schema([]))

    @cached_property
    def schema(self) -> pa.Schema:
        """All of them with their types."""
        return pa.schema(_fields(_stated(_struct(self.found), _struct(self.wanted))))

    @cached_property
    def width(self) -> int:
        """How many columns there are, with those inside of others."""
        return sum(_levels(self.found))

    @cached_property
    def inside(self) -> int:
        """How many of them hold values of lists."""
        return _in_lists(_struct(self.found))


@lru_cache(maxsize=16)
def with_those_of(known: Members, found: pa.Schema) -> Members:
    """Members that are known, then those that were found beside them, unless these lie too deep."""
    if len(_levels(found)) > _DEEPEST:
        return known
    joined = _joined(_struct(known.found), _struct(found))
    return known if joined == _struct(known.found) else Members(known.wanted, pa.schema(_fields(joined)))


def _struct(fields: Iterable[pa.Field]) -> pa.StructType:
    return pa.struct(list(fields))


def _fields(kind: pa.DataType) -> list[pa.Field]:
    return [kind.field(number) for number in range(kind.num_fields)]


def _levels(fields: Iterable[pa.Field]) -> list[int]:
    """How many columns there are, how many inside of these, inside of those, and so on."""
    level, counts = list(fields), []
    while level:
        counts.append(len(level))
        level = [inner for member in level for inner in _fields(member.type)]
    return counts


def _in_lists(kind: pa.DataType) -> int:
    if pa.types.is_list(kind):
        return sum(_levels(_fields(kind)))
    return sum(_in_lists(member.type) for member in _fields(kind))


def _joined(known: pa.DataType, found: pa.DataType) -> pa.DataType:
    """The type of both; that which was found last, if no type is."""
    if pa.types.is_struct(known) and pa.types.is_struct(found):
        types = {member.name: member.type for member in known}
        for member in found:
            types[member.name] = _joined(types[member.name], member.type) if member.name in types else member.type
        return pa.struct(list(types.items()))
    if pa.types.is_list(known) and pa.types.is_list(found):
        return pa.list_(_joined(known.value_type, found.value_type))
    if pa.types.is_null(found) or (pa.types.is_floating(known) and pa.types.is_integer(found)):
        return known
    return found


def _stated(found: pa.DataType, wanted: pa.DataType | None) -> pa.DataType:
    """What was found with the types that are wanted; a text that looks like a time stays a text."""
    if pa.types.is_struct(found) and (wanted is None or pa.types.is_struct(wanted)):
        types = {member.name: member.type for member in wanted or ()}
        return pa.struct([(member.name, _stated(member.type, types.get(member.name))) for member in found])
    if pa.types.is_list(found) and (wanted is None or pa.types.is_list(wanted)):
        return pa.list_(_stated(found.value_type, wanted and wanted.value_type))
    if wanted is not None:
        return wanted
    return pa.string() if pa.types.is_temporal(found) else found
