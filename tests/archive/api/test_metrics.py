"""How much is going on is told to those who run the archive."""

from __future__ import annotations

import pytest
from django.test import Client

from archive.services import access

pytestmark = pytest.mark.django_db
PUBLIC = "https://archive.example.org"


def test_whoever_is_on_the_machine_may_ask_one_that_serves_nobody_else() -> None:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert b"custos_ledger_size" in answer.content
    for header in ({"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}):
        assert Client(headers=header).get("/metrics").status_code == 401
    assert Client(REMOTE_ADDR="192.0.2.1").get("/metrics").status_code == 401


def test_a_service_for_others_asks_for_a_token_with_the_scope(settings, caller) -> None:
    settings.CUSTOS_PUBLIC_URL = PUBLIC
    refused = Client().get("/metrics")
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer realm="custos"')
    assert "--scope metrics" in refused.json()["detail"]
    assert caller("ann", "upload", "read", "audit").get("/metrics").status_code == 401
    assert caller("prometheus", "metrics").get("/metrics").status_code == 200


def test_a_token_for_metrics_reads_nothing_else(caller, filled) -> None:
    prometheus = caller("prometheus", "metrics")
    assert prometheus.get("/api/v1/submissions").json()["count"] == 0
    assert prometheus.get(f"/api/v1/submissions/{filled.pk}").status_code == 404


def test_of_people_who_are_signed_in_administrators_may_ask(settings) -> None:
    settings.CUSTOS_PUBLIC_URL = PUBLIC
    for name, administrator, status in (("ann", False, 401), ("root", True, 200)):
        browser = Client()
        browser.force_login(access.ensure_user(user_name=name, administrator=administrator))
        assert browser.get("/metrics").status_code == status
