"""The stock in plain words: what each verb must answer, and where every unit is then. The model of test_model.py."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inventory.tallies import Tally

Answer = tuple[str, ...]


@dataclass
class Hold:
    number: str
    sku: str
    account: str
    person: str
    state: str  # held | ordered | released | expired
    left: int  # of its time, in milliseconds
    order: str = ""


@dataclass
class Order:
    hold: str
    number: str
    sku: str
    account: str
    person: str
    state: str  # ordered | paid | given_back | withdrawn (it cools)


class Book:
    """Everything about one drop."""

    def __init__(
        self, numbers: Sequence[str], units: dict[str, int], limits: tuple[int, int], earlier: Counter[str]
    ) -> None:
        self.numbers, self.units = frozenset(numbers), units
        (self.limit, self.person_limit), self.earlier = limits, earlier  # in other rounds of the campaign
        self.state, self.hold_ms = "open", 900_000
        self.holds: dict[str, Hold] = {}
        self.orders: dict[str, Order] = {}

    def hold(self, token: str, account: str, person: str, wanted: Sequence[str], sku: str) -> Answer:
        """`wanted` in order of liking; where any would do, the number the verb chose."""
        known = self.holds.get(token)
        if known and known.account != account:
            return ("not_found",)
        live = [id for id, hold in self.holds.items() if (hold.account, hold.state) == (account, "held")]
        for id in [token] if known else live:
            return ("held", id, self.holds[id].number, self.holds[id].state)
        if self.state != "open":
            return (f"drop_{self.state}",)
        if self.used("account", account) >= self.limit:
            return ("limit_reached", "account")
        if person and self.used("person", person) >= self.person_limit:
            return ("limit_reached", "person")
        if not self.free():
            return ("sold_out", "number")
        if sku and self.tally().skus[sku].free < 1:
            return ("sold_out", sku)
        for number in wanted:
            if number in self.free():
                self.holds[token] = Hold(number, sku, account, person, "held", self.hold_ms)
                return ("held", token, number, "held")
        return ("taken",)

    def release(self, token: str, account: str) -> Answer:
        hold = self.holds.get(token)
        if hold and hold.account == account and hold.state == "ordered":
            return ("ordered", hold.order)
        if hold and hold.account == account and hold.state == "held":
            hold.state = "released"
        return ()

    def claim(self, token: str, account: str, order_id: str, person: str) -> Answer:
        order, hold = self.orders.get(order_id), self.holds.get(token)
        if order:
            own = (order.hold, order.account) == (token, account) and order.state in ("ordered", "paid")
            return ("claimed", order.number, order.sku) if own else ("lapsed",)
        if not hold or hold.account != account or hold.state in ("released", "expired"):
            return ("lapsed",)
        if hold.state == "ordered":
            return ("ordered", hold.order)
        if person and person != hold.person and self.used("person", person) >= self.person_limit:
            return ("limit_reached", "person")
        hold.state, hold.order = "ordered", order_id
        self.orders[order_id] = Order(token, hold.number, hold.sku, account, person or hold.person, "ordered")
        return ("claimed", hold.number, hold.sku)

    def settle(self, order_id: str, number: str) -> Answer:
        order = self.orders.get(order_id)
        if not order or order.number != number or order.state not in ("ordered", "paid"):
            return ("lapsed",)
        order.state = "paid"
        return ()

    def give_back(self, order_id: str, number: str, cool: bool) -> Answer:
        order = self.orders.get(order_id)
        if order and order.number == number and order.state in ("ordered", "paid"):
            order.state = "withdrawn" if cool else "given_back"
        return ()

    def expire(self) -> int:
        over = [hold for hold in self.holds.values() if hold.state == "held" and hold.left <= 0]
        for hold in over:
            hold.state = "expired"
        return len(over)

    def used(self, whose: str, who: str) -> int:
        live = [one.account if whose == "account" else one.person for one in self._live()]
        return self.earlier[who] + live.count(who)

    def free(self) -> frozenset[str]:
        taken = {one.number for one in self._live()}
        return self.numbers - taken - {o.number for o in self.orders.values() if o.state == "withdrawn"}

    def tally(self) -> Tally:
        places = Counter(place for one in self._units() for place in {(one.state, ""), (one.state, one.sku)})
        units = {sku: _tally(count, places, sku) for sku, count in self.units.items()}
        return replace(_tally(len(self.numbers), places, ""), skus=units)

    def told(self) -> dict[str, tuple[str, str]]:
        """The orders as SQL would tell them to the audit."""
        over = {"given_back": "returned", "withdrawn": "returned"}
        return {id: (order.number, over.get(order.state, order.state)) for id, order in self.orders.items()}

    def _live(self) -> list[Hold | Order]:
        return [one for one in self._units() if one.state in ("held", "ordered", "paid")]

    def _units(self) -> list[Hold | Order]:
        """Who has a unit or had one: a hold until it becomes an order, then the order."""
        return [*(hold for hold in self.holds.values() if hold.state == "held"), *self.orders.values()]


def _tally(loaded: int, places: Counter[tuple[str, str]], sku: str) -> Tally:
    held, ordered, paid, withdrawn = (
        places[place, sku] for place in ("held", "ordered", "paid", "withdrawn")
    )
    return Tally(loaded, loaded - held - ordered - paid - withdrawn, held, ordered, paid, withdrawn)
