"""The journal is read as single decisions, however it was written; a reader learns that it was cut behind him."""

import pytest
from redis import Redis

from inventory import journal, verbs
from inventory.journal import Trimmed
from tests.inventory.small_drop import Make


def test_a_batch_is_spread_into_its_decisions(make: Make, redis: Redis) -> None:
    make("d1", 2)
    stream, before = verbs.key("d1", "journal"), journal.last_id("d1")
    holds = "18600000001\thld_1\t\tacc_1\t\n18600000002\thld_2\tip4\tacc_2\tdigest"
    claims = "18600000001\thld_1\tord_1\t\tacc_1\tdigest"
    first = redis.xadd(stream, {"verb": "hold", "rows": holds})
    second = redis.xadd(stream, {"verb": "claim", "rows": claims})
    third = redis.xadd(stream, {"verb": "settle", "number": "18600000001", "order": "ord_1", "sku": ""})
    one = {
        "verb": "hold",
        "number": "18600000001",
        "hold": "hld_1",
        "sku": "",
        "account": "acc_1",
        "person": "",
    }
    two = {"number": "18600000002", "hold": "hld_2", "sku": "ip4", "account": "acc_2", "person": "digest"}
    claim = {"verb": "claim", "order": "ord_1", "person": "digest"}
    assert [entry for page in journal.pages("d1", before) for entry in page] == [
        (first, one),
        (first, {"verb": "hold", **two}),
        (second, one | claim),
        (third, {"verb": "settle", "number": "18600000001", "order": "ord_1", "sku": ""}),
    ]


def test_a_reader_who_is_behind_the_cut_is_told(make: Make, redis: Redis) -> None:
    make("d1", 2)
    (loaded, _), (ruled, rule) = (entry for page in journal.pages("d1") for entry in page)
    assert verbs.call("trim", "d1", loaded) == ["trimmed", 1]
    assert verbs.call("trim", "d1", loaded) == ["old"]
    assert redis.get(verbs.key("d1", "trimmed")) == loaded
    with pytest.raises(Trimmed):
        list(journal.pages("d1"))
    assert list(journal.pages("d1", loaded)) == [[(ruled, rule)]]
    assert list(journal.pages("d1", ruled)) == []
