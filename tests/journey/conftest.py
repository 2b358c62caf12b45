"""One whole shop for the journeys; tests that break things start their own."""

from collections.abc import Iterator

import pytest

from tests.shop import Shop, running


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with running() as started:
        yield started
