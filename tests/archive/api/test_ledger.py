"""The public ledger of an archive whose rows were changed: it answers, and says what cannot be read."""

from __future__ import annotations

import pytest
from django.test import Client

from archive.services.keys import introduce_keys
from archive.services.sequencing import sequence_pending
from tests.tampering import tamper

pytestmark = pytest.mark.django_db


def test_an_event_of_keys_that_cannot_be_read_hides_no_other() -> None:
    introduce_keys()
    sequence_pending()
    before = Client().get("/log/key-events").json()["events"]
    tamper("UPDATE archive_custodyevent SET text = 'x' WHERE id = %s", before[0]["id"])
    first, second = Client().get("/log/key-events").json()["events"]
    assert (first, second) == ({**before[0], "detail": None}, before[1])
