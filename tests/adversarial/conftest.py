"""What the services' tests have, for those here that run in the tests' own process."""

from __future__ import annotations

from tests.archive.conftest import file_store, home  # noqa: F401 -- fixtures
from tests.archive.services.conftest import ann, hand_in  # noqa: F401 -- fixtures
