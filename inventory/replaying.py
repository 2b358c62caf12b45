"""A drop's journal played again from its first entry: where every unit must be, and whether each step was right."""

from collections import Counter
from dataclasses import dataclass

from inventory.tallies import Tally, counted

_OWNED = {"h": "held", "o": "ordered", "p": "paid", "w": "withdrawn"}


@dataclass
class Played:
    """A hold or an order as the journal tells it."""

    number: str
    state: str
    sku: str
    account: str
    person: str


class Replay:
    """`owner` of each number: "" free, or h:, o:, p:, w: and the id, as the key `owner` has it."""

    def __init__(self) -> None:
        self.entries = 0
        self.last_id = ""
        self.owner: dict[str, str] = {}
        self.holds: dict[str, Played] = {}
        self.orders: dict[str, Played] = {}
        self.skus: dict[str, Counter[str]] = {}
        self.differences: list[str] = []

    def play(self, entry_id: str, entry: dict[str, str]) -> None:
        """One entry. A step no verb may take is a difference; the entry is believed all the same."""
        self.entries += 1
        self.last_id = entry_id
        match entry["verb"]:
            case "load":
                self._load(entry_id, entry)
            case "hold":
                self._move(entry_id, entry, "", f"h:{entry['hold']}")
                self.holds[entry["hold"]] = _played(entry, "held")
            case "release" | "expire" as verb:
                self._move(entry_id, entry, f"h:{entry['hold']}", "")
                self._end(entry_id, entry, "released" if verb == "release" else "expired")
            case "claim":
                self._move(entry_id, entry, f"h:{entry['hold']}", f"o:{entry['order']}")
                self._end(entry_id, entry, "ordered")
                self.orders[entry["order"]] = _played(entry, "ordered")
            case "restore":
                mark = "p" if entry["state"] == "paid" else "o"
                self._move(entry_id, entry, "", f"{mark}:{entry['order']}")
                self.orders[entry["order"]] = _played(entry, entry["state"])
            case "settle":
                self._move(entry_id, entry, f"o:{entry['order']}", f"p:{entry['order']}")
                self._order(entry_id, entry, "paid")
            case "give_back":
                was = "p" if entry["from"] == "paid" else "o"
                to = "" if entry["to"] == "free" else f"w:{entry['order']}"
                self._move(entry_id, entry, f"{was}:{entry['order']}", to)
                self._order(entry_id, entry, "returned")
            case "rule" | "jump":
                pass
            case other:
                self.differences.append(f"journal {entry_id}: unknown verb {other}")

    def tally(self) -> Tally:
        counts = Counter(map(_place, self.owner.values()))
        counts["loaded"] = len(self.owner)
        return counted(counts, {sku: counted(places, {}) for sku, places in sorted(self.skus.items())})

    def held(self) -> dict[str, str]:
        """Live hold -> its number."""
        return {hold_id: hold.number for hold_id, hold in self.holds.items() if hold.state == "held"}

    def live(self) -> dict[str, str]:
        """Account -> its live hold."""
        return {hold.account: hold_id for hold_id, hold in self.holds.items() if hold.state == "held"}

    def limits(self) -> dict[str, int]:
        """What counts against the limits, as the key `used` has it, without zeros."""
        counts: Counter[str] = Counter()
        live = [hold for hold in self.holds.values() if hold.state == "held"]
        live += [order for order in self.orders.values() if order.state in ("ordered", "paid")]
        for one in live:
            counts[f"a:{one.account}"] += 1
            if one.person:
                counts[f"p:{one.person}"] += 1
        return dict(counts)

    def _load(self, entry_id: str, entry: dict[str, str]) -> None:
        for number in filter(None, entry.get("numbers", "").split(",")):
            if number in self.owner:
                self.differences.append(f"number {number}: loaded twice, again at {entry_id}")
            self.owner.setdefault(number, "")
        if "sku" in entry:
            count = int(entry["quantity"])
            self.skus[entry["sku"]] = Counter(loaded=count, free=count)

    def _move(self, entry_id: str, entry: dict[str, str], was: str, to: str) -> None:
        number, verb = entry["number"], entry["verb"]
        found = self.owner.get(number)
        if found is None:
            self.differences.append(f"number {number}: {verb} at {entry_id}, but it was never loaded")
        elif found != was:
            self.differences.append(
                f"number {number}: {verb} at {entry_id} expects {was or 'free'}, it is {found or 'free'}"
            )
        self.owner[number] = to
        if entry["sku"]:
            places = self.skus.setdefault(entry["sku"], Counter())
            places[_place(was)] -= 1
            places[_place(to)] += 1
            if places[_place(was)] < 0:
                self.differences.append(f"{entry['sku']}: less than none {_place(was)} at {entry_id}")

    def _end(self, entry_id: str, entry: dict[str, str], state: str) -> None:
        hold = self.holds.get(entry["hold"])
        if hold is None:
            self.differences.append(f"hold {entry['hold']}: {entry['verb']} at {entry_id}, but it never was")
        else:
            hold.state = state

    def _order(self, entry_id: str, entry: dict[str, str], state: str) -> None:
        order = self.orders.get(entry["order"])
        if order is None:
            self.differences.append(
                f"order {entry['order']}: {entry['verb']} at {entry_id}, but it never was"
            )
        else:
            order.state = state


def _place(owner: str) -> str:
    return _OWNED[owner[0]] if owner else "free"


def _played(entry: dict[str, str], state: str) -> Played:
    return Played(entry["number"], state, entry["sku"], entry["account"], entry["person"])
