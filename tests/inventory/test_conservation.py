"""Any multiset of verbs, replays and late calls, against a small model: no unit is ever lost or doubled."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis import Redis

from inventory import audit, drops, holds, verbs
from inventory.facts import Lapsed, LimitReached, Ordered, SoldOut, Taken
from runtime.redis import hot
from tests.inventory.small_drop import Make, held

ACCOUNTS = st.sampled_from(["li", "wang", "zhang", "chen"])
NUMBERS = st.integers(0, 3)
ORDERS = st.sampled_from(["o1", "o2", "o3", "o4"])
PEOPLE = st.sampled_from(["", "p1", "p2"])
REFUSED = (Lapsed, LimitReached, Ordered, SoldOut, Taken)


def sale(numbers: list[str]) -> type[RuleBasedStateMachine]:
    class Sale(RuleBasedStateMachine):
        """owner: number -> (hold) or (order, state); who has what, as the words on the counter say it."""

        def __init__(self) -> None:
            super().__init__()
            client = hot()
            client.flushall()
            verbs.run("begin", "d1", "e1", "first")
            verbs.run("load", "d1", "e1", ",".join(numbers), "ip4", 2)
            verbs.run("rule", "d1", "e1", 1, "open", 0, "", 900_000, 2, 1, 1)
            verbs._epochs["d1"] = "e1"
            self.owner: dict[str, tuple[str, str]] = {}
            self.holds: list[tuple[str, str, str]] = []  # id, account, number
            self.orders: dict[str, tuple[str, str]] = {}

        @rule(
            account=ACCOUNTS,
            number=NUMBERS,
            person=PEOPLE,
            sku=st.sampled_from(["", "ip4"]),
            again=st.booleans(),
        )
        def hold(self, account: str, number: int, person: str, sku: str, again: bool) -> None:
            token = self.holds[-1][0] if again and self.holds else None
            account = self.holds[-1][1] if token else account
            before = drops.tally("d1")
            try:
                got = held("d1", account, numbers[number], token=token, person=person, sku=sku)
            except REFUSED:
                assert drops.tally("d1") == before
                return
            if got.id in [known for known, _, _ in self.holds]:
                assert drops.tally("d1") == before
                return
            assert got.number not in self.owner
            self.owner[got.number] = (got.id, "held")
            self.holds.append((got.id, account, got.number))

        @rule(pick=st.integers(0, 9))
        def release(self, pick: int) -> None:
            for hold_id, account, number in self.holds[pick : pick + 1]:
                try:
                    holds.release(hold_id, account)
                except Ordered:
                    return
                if self.owner.get(number) == (hold_id, "held"):
                    del self.owner[number]

        @rule(all_of_them=st.booleans())
        def expire(self, all_of_them: bool) -> None:
            if all_of_them:
                for hold_id, _ in hot().zscan_iter(verbs.key("d1", "due")):
                    hot().zadd(verbs.key("d1", "due"), {hold_id: 1})
            holds.expire("d1")
            if all_of_them:
                self.owner = {n: o for n, o in self.owner.items() if o[1] != "held"}

        @rule(pick=st.integers(0, 9), order=ORDERS, person=PEOPLE)
        def claim(self, pick: int, order: str, person: str) -> None:
            for hold_id, account, number in self.holds[pick : pick + 1]:
                known = self.orders.get(order)
                try:
                    got = holds.claim(hold_id, account=account, order_id=order, person=person)
                except REFUSED:
                    return
                if known is None:
                    assert self.owner[number] == (hold_id, "held")
                    self.orders[order] = (number, "ordered")
                    self.owner[number] = (order, "ordered")
                assert got.number == self.orders[order][0]

        @rule(order=ORDERS, number=NUMBERS, right=st.booleans())
        def settle(self, order: str, number: int, right: bool) -> None:
            asked = self.orders[order][0] if right and order in self.orders else numbers[number]
            try:
                holds.settle("d1", order, asked)
            except Lapsed:
                known = self.orders.get(order)
                assert known is None or known[0] != asked or known[1] == "returned"
                return
            self.orders[order] = (asked, "paid")
            self.owner[asked] = (order, "paid")

        @rule(order=ORDERS, number=NUMBERS, right=st.booleans(), cool=st.booleans())
        def give_back(self, order: str, number: int, right: bool, cool: bool) -> None:
            asked = self.orders[order][0] if right and order in self.orders else numbers[number]
            holds.give_back("d1", order, asked, to="cooling" if cool else "free")
            known = self.orders.get(order)
            if known and known[0] == asked and known[1] != "returned":
                self.orders[order] = (asked, "returned")
                del self.owner[asked]
                if cool:
                    self.owner[asked] = (order, "withdrawn")

        @invariant()
        def all_is_told_alike(self) -> None:
            assert audit.journal_audit("d1", self.orders).differences == []
            places: list[Any] = [state for _, state in self.owner.values()]
            tally = drops.tally("d1")
            assert (tally.held, tally.ordered, tally.paid, tally.withdrawn) == tuple(
                places.count(state) for state in ("held", "ordered", "paid", "withdrawn")
            )
            assert tally.free == len(numbers) - len(places)
            assert min(tally.skus["ip4"].free, tally.free) >= 0

    return Sale


def test_no_unit_is_lost_or_doubled(make: Make, redis: Redis) -> None:
    numbers = make("d1", 4)
    run_state_machine_as_test(
        sale(numbers),
        settings=settings(
            max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
