"""What the services' tests have, for those here that run in the tests' own process."""

from __future__ import annotations

from tests.archive.conftest import home  # noqa: F401 -- a fixture
from tests.archive.services.conftest import ann, hand_in  # noqa: F401 -- fixtures
