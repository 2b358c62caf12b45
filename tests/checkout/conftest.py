"""Every checkout test that asks for `shop` gets an open drop with numbers, handsets, couriers and the twins."""

from pathlib import Path

import pytest
from redis import Redis

from tests.checkout.shop import Shop, open_shop


@pytest.fixture
def shop(db: None, redis: Redis, twins: str, tmp_path: Path) -> Shop:
    return open_shop(tmp_path, twins)
