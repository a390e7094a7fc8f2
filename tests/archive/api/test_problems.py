"""Faults of the parts behind the API become words and a status that clients may wait on."""

from __future__ import annotations

import json

import psycopg
import pytest
from django.db import OperationalError, connections
from django.test import RequestFactory

from archive.api.problems import problem_response


def test_a_database_that_is_away_is_said_without_what_it_said(tmp_path) -> None:
    away = connections["default"].copy()
    away.settings_dict = {**away.settings_dict, "HOST": str(tmp_path), "NAME": "nobody"}
    with pytest.raises(OperationalError) as raised, away.wrap_database_errors:
        away.connect()
    assert isinstance(raised.value.__cause__, psycopg.OperationalError)
    answer = problem_response(raised.value, {"request": RequestFactory().get("/api/v1/submissions")})
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert str(tmp_path) not in json.loads(answer.content)["detail"]
