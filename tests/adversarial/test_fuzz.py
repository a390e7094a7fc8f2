"""What fuzzing begins with is read through; the long runs are `make fuzz`."""

from __future__ import annotations

import pytest

from tests.adversarial.fuzz import FORMATS_FUZZED, corpus, read_through


@pytest.mark.parametrize("procedure", FORMATS_FUZZED)
def test_every_beginning_of_a_recording_is_accounted_for(procedure: str) -> None:
    inputs = corpus(procedure)
    assert len(inputs) >= 6
    assert sum(read_through(procedure, data).rows for data in inputs) > 100
    assert read_through(procedure, inputs[0][::-1]).rejects
