"""Of several copies the one that is whole is read; what is damaged is told and mended, and nothing comes of it."""

from __future__ import annotations

import pytest

from archive import wiring
from archive.models import CustodyEvent, Run
from archive.services import execution, sealing
from archive.services.whole import local_whole_copy
from archive.storage.store import StoreError
from tests.archive.services.conftest import LINE

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed(settings, tmp_path, hand_in):
    """A log in two stores, recognised and not read yet."""
    settings.CUSTOS_STORE = f"file:{tmp_path / 'one'} file:{tmp_path / 'two'}"
    wiring.store.cache_clear()
    row = hand_in(LINE, work=False)
    sealing.seal_submission(row.pk)
    row.refresh_from_db()
    return row


@pytest.fixture
def damage(sealed, tmp_path):
    def flip(*stores: str) -> None:
        for store in stores:
            path = tmp_path / store / sealed.blob.place.split(" ")[0][2:]
            path.chmod(0o644)
            path.write_bytes(LINE.replace(b"192.0.2.17", b"192.0.2.18"))

    return flip


@pytest.mark.parametrize("store", ["one", "two"])
def test_a_run_reads_the_copy_that_is_whole(sealed, damage, store: str) -> None:
    damage(store)
    run = Run.objects.get()
    execution.execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.problem) == ("succeeded", "")


def test_the_damaged_copy_that_was_met_is_mended_and_told(sealed, damage) -> None:
    damage("one")
    execution.execute_run(Run.objects.get().pk)
    assert [copy.state for copy in wiring.store().examine(sealed.blob.place, lambda _: None)] == ["whole", "whole"]
    assert '"mended":true' in CustodyEvent.objects.get(type="fixity check").text


def test_a_copy_that_is_gone_is_read_around(sealed, tmp_path) -> None:
    (tmp_path / "one" / sealed.blob.place.split(" ")[0][2:]).unlink()
    with local_whole_copy(sealed.blob) as path:
        assert path.read_bytes() == LINE


def test_with_no_whole_copy_it_says_so_of_each(sealed, damage) -> None:
    damage("one", "two")
    with pytest.raises(StoreError) as caught, local_whole_copy(sealed.blob):
        pass
    assert str(caught.value).count("run manage.py fixity") == 2
