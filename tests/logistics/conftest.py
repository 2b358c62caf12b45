"""Every logistics test starts with the three couriers hired and nothing sent."""

import pytest

from tests.logistics.courier_world import hire


@pytest.fixture
def world(db: None) -> None:
    hire()
