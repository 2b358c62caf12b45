"""The inventory desk's fixture: drops made of real numbers, open or not."""

import pytest
from redis import Redis

from inventory import verbs
from tests.inventory.small_drop import Make, make_drop


@pytest.fixture
def make(db: None, redis: Redis) -> Make:
    """make("d1", 10) stocks, schedules and warms a drop that is open; gives its numbers."""
    verbs.forget()  # another test may have had a drop of this id elsewhere
    return make_drop
