"""What fuzzing begins with is read through; the long runs are `make fuzz`."""

from __future__ import annotations

import pytest

from tests.adversarial.fuzz import FORMATS_FUZZED, MESSAGE, corpus, one_of, read_through


@pytest.mark.parametrize("procedure", FORMATS_FUZZED)
def test_every_beginning_of_a_recording_is_accounted_for(procedure: str) -> None:
    inputs = corpus(procedure)
    assert len(inputs) >= 6
    assert sum(read_through(procedure, data).rows for data in inputs) > 100
    assert read_through(procedure, inputs[0][::-1]).rejects


def test_messages_are_taken_out_of_their_packets() -> None:
    from evidence.wire.message import read_message

    inputs = corpus(MESSAGE)
    read = [read_message(data) for data in inputs]
    assert len(read) > 100 and sum(isinstance(found, list) for found in read) > 0.9 * len(read)
    for data in inputs:
        one_of(MESSAGE)(data)
        one_of(MESSAGE)(data[::-1])


def test_a_lost_byte_is_a_fault_and_a_refusal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from evidence.errors import ReadingError
    from tests.adversarial import fuzz

    for text, is_fault in (("3 bytes are accounted for", True), ("no such parameter", False)):

        def refuse(*_: object, text: str = text) -> None:
            raise ReadingError(text)

        monkeypatch.setattr(fuzz, "read_through", refuse)
        if is_fault:
            with pytest.raises(ReadingError):
                one_of("parse.pcap@1")(b"")
        else:
            one_of("parse.pcap@1")(b"")
