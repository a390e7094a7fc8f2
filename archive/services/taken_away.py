"""Which of many blobs the law had taken away: what `deaccession_behind` says of each, with a few queries for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archive.models import CustodyObject, Deaccession, RunInput, RunOutput, Submission
from archive.services.deaccessions import shows_source

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Iterable

type Cases = set[uuid.UUID]


@dataclass(slots=True)
class _Descent:
    """Of blobs and what they were made from: which are deaccessioned, where they were handed in and made, and of what.

    What a blob was made of is None where it does not show the content of that.
    """

    gone: set[str] = field(default_factory=set)
    handed_in: dict[str, Cases] = field(default_factory=dict)
    made: dict[str, list[tuple[uuid.UUID, str | None]]] = field(default_factory=dict)

    def read(self, digests: Collection[str]) -> set[str]:
        """Add what is known of these; what they were made from."""
        self.gone.update(
            Deaccession.objects.filter(blob__in=digests).exclude(event=None).values_list("blob", flat=True)
        )
        _gather(self.handed_in, Submission.objects.filter(blob__in=digests).values_list("blob", "case"))
        fields = ("blob", "name", "run", "run__case", "run__procedure")
        made = list(RunOutput.objects.filter(blob__in=digests).values_list(*fields))
        showing = {run for _digest, name, run, _case, procedure in made if shows_source(procedure, name)}
        inputs = RunInput.objects.filter(run__in=showing, role="source")
        sources = dict(inputs.values_list("run", "blob"))
        for digest, name, run, case, procedure in made:
            source = sources[run] if shows_source(procedure, name) else None
            self.made.setdefault(digest, []).append((case, source))
        return set(sources.values())

    def is_gone(self, digest: str, cases: Cases, seen: frozenset[str] = frozenset()) -> bool:
        """Whether the law had it taken away from these cases, or what it shows the content of."""
        if digest in self.gone or self.handed_in.get(digest, set()) & cases:
            return digest in self.gone
        found = False
        for case, source in self.made.get(digest, ()):
            if case not in cases or source in seen:
                continue  # an archive that holds itself came from nowhere else
            found = source is not None and self.is_gone(source, cases, seen | {digest})
            if not found:
                return False
        return found


def taken_away(digests: Collection[str]) -> set[str]:
    """Those of these blobs that the law had taken away from all cases that name them."""
    descent, cases = _Descent(), dict[str, "Cases"]()
    known, waiting = set[str](), set(digests)
    while waiting:
        known |= waiting
        waiting = descent.read(waiting) - known
    named = CustodyObject.objects.filter(digest__in=digests).values_list("digest", "event__case").distinct()
    _gather(cases, named)
    return {digest for digest in digests if descent.is_gone(digest, cases.get(digest, set()))}


def _gather(into: dict[str, Cases], pairs: Iterable[tuple[str, uuid.UUID]]) -> None:
    for digest, case in pairs:
        into.setdefault(digest, set()).add(case)
