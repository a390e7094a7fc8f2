"""What a case asks of the stores, at the API's door."""

from __future__ import annotations

import pytest
from django.utils import timezone

from archive.models import Case, CustodyEvent
from archive.services import access

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/cases/case-a/keeping"


def change(caller, **said) -> dict:
    answer = caller.patch(ADDRESS, said, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def held_meanwhile(monkeypatch):
    """Somebody sets a hold between the moment when the door finds the case and the one when it is changed."""
    honest = access.visible_case

    def found_and_then_held(who, reference):
        case = honest(who, reference)
        Case.objects.filter(pk=case.pk).update(hold=True)
        return case

    monkeypatch.setattr(access, "visible_case", found_and_then_held)


@pytest.mark.parametrize("said", [{"copies": 1}, {"retain_until": "2060-01-01"}, {}])
def test_a_change_that_names_no_hold_lifts_none_that_was_set_meanwhile(ann, filled, held_meanwhile, said) -> None:
    assert change(ann, **said)["hold"] is True
    assert Case.objects.get().hold


def test_a_hold_is_lifted_by_who_says_so(ann, filled) -> None:
    assert change(ann, hold=True, retain_until="2060-01-01")["hold"] is True
    assert change(ann, hold=False) == {"copies": 1, "retain_until": "2060-01-01", "hold": False, "applied": False}


@pytest.mark.parametrize("said", [{}, {"hold": True}, {"copies": 1, "retain_until": "2060-01-01"}])
def test_what_asks_for_nothing_new_is_no_event_and_answers_how_it_stands(ann, filled, said) -> None:
    before = change(ann, hold=True, retain_until="2060-01-01")
    changes = CustodyEvent.objects.filter(type="retention change")
    count = changes.count()
    Case.objects.update(kept=True)
    assert change(ann, **said) == before | {"applied": True}
    assert (changes.count(), count > 0) == (count, True)
    Case.objects.update(kept=False, keep_after=timezone.now())
    assert change(ann, **said)["applied"] is False
    assert (changes.count(), Case.objects.get().keep_after) == (count, None)  # the stores are told at once
