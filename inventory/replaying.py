"""A lot's journal played again from its first entry: where every unit must be, and whether each step was right."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from inventory.journal import COLUMNS, Entry
from inventory.tallies import Tally, counted

_OWNED = {"h": "held", "o": "ordered", "p": "paid", "w": "withdrawn"}


class Played(msgspec.Struct, gc=False):
    """A hold or an order as the journal tells it. Of an order also the hold it was, of a hold its own id."""

    number: str
    state: str
    sku: str
    account: str
    person: str
    hold: str


class Replay:
    """`owner` of each number: "" free, or h:, o:, p:, w: and the id, as the key `owner` has it.

    Batches are played line by line as they were written: a sold-out drop has some hundred thousand lines."""

    def __init__(self) -> None:
        self.entries = 0  # decisions played
        self.written = 0  # entries of the stream they came in
        self.last_id = ""
        self.owner: dict[str, str] = {}
        self.holds: dict[str, Played] = {}
        self.orders: dict[str, Played] = {}
        self.skus: dict[str, Counter[str]] = {}
        self.differences: list[str] = []
        self.doubted: set[str] = set()  # numbers, holds and orders of which the journal itself tells nonsense

    def play(self, entries: Iterable[Entry]) -> None:
        """Entries as the stream has them. A step no verb may take is a difference; it is believed all the same."""
        for entry_id, entry in entries:
            self.last_id = entry_id
            self.written += 1
            verb, rows = entry["verb"], entry.get("rows")
            if rows is None:
                self.entries += 1
                self._one(entry_id, verb, entry)
            elif verb == "hold":
                self._holds(entry_id, rows)
            elif verb == "claim":
                self._claims(entry_id, rows)
            else:
                self.differences.append(f"journal {entry_id}: unknown verb {verb}")

    def tally(self) -> Tally:
        counts = Counter(map(_place, self.owner.values()))
        counts["loaded"] = len(self.owner)
        return counted(counts, {sku: counted(places, {}) for sku, places in sorted(self.skus.items())})

    def live(self) -> dict[str, str]:
        """Account -> its live hold."""
        return {hold.account: hold_id for hold_id, hold in self.holds.items() if hold.state == "held"}

    def standing(self) -> Iterable[Played]:
        """Live holds and orders: what counts against the limits."""
        yield from (hold for hold in self.holds.values() if hold.state == "held")
        yield from (order for order in self.orders.values() if order.state in ("ordered", "paid"))

    def limits(self) -> dict[str, int]:
        """What counts against the limits, as the key `used` has it, without zeros."""
        counts: Counter[str] = Counter()
        for one in self.standing():
            counts[f"a:{one.account}"] += 1
            if one.person:
                counts[f"p:{one.person}"] += 1
        return dict(counts)

    def _holds(self, entry_id: str, rows: str) -> None:
        owner, holds = self.owner, self.holds
        lines = rows.split("\n")
        self.entries += len(lines)
        for line in lines:
            number, hold, sku, account, person = line.split("\t")
            if sku or owner.get(number) != "":
                self._move(entry_id, "hold", number, sku, "", f"h:{hold}")
            else:
                owner[number] = f"h:{hold}"
            holds[hold] = Played(number, "held", sku, account, person, hold)

    def _claims(self, entry_id: str, rows: str) -> None:
        owner, holds, orders = self.owner, self.holds, self.orders
        lines = rows.split("\n")
        self.entries += len(lines)
        for line in lines:
            number, hold, order, sku, account, person = line.split("\t")
            if sku or owner.get(number) != f"h:{hold}":
                self._move(entry_id, "claim", number, sku, f"h:{hold}", f"o:{order}")
            else:
                owner[number] = f"o:{order}"
            known = holds.get(hold)
            if known is None:
                self._never(entry_id, "claim", "hold", hold)
            else:
                known.state = "ordered"
            orders[order] = Played(number, "ordered", sku, account, person, hold)

    def _one(self, entry_id: str, verb: str, entry: dict[str, str]) -> None:
        match verb:
            case "settle":
                order = entry["order"]
                self._move(entry_id, verb, entry["number"], entry["sku"], f"o:{order}", f"p:{order}")
                self._order(entry_id, verb, order, "paid")
            case "release" | "expire":
                self._move(entry_id, verb, entry["number"], entry["sku"], f"h:{entry['hold']}", "")
                hold = self.holds.get(entry["hold"])
                if hold is None:
                    self._never(entry_id, verb, "hold", entry["hold"])
                else:
                    hold.state = "released" if verb == "release" else "expired"
            case "give_back":
                order, was = entry["order"], "p" if entry["from"] == "paid" else "o"
                to = "" if entry["to"] == "free" else f"w:{order}"
                self._move(entry_id, verb, entry["number"], entry["sku"], f"{was}:{order}", to)
                self._order(entry_id, verb, order, "returned")
            case "restore":
                mark = "p" if entry["state"] == "paid" else "o"
                self._move(entry_id, verb, entry["number"], entry["sku"], "", f"{mark}:{entry['order']}")
                self.orders[entry["order"]] = Played(
                    entry["number"], entry["state"], entry["sku"], entry["account"], entry["person"],
                    entry.get("hold", ""),
                )  # fmt: skip
            case "load":
                self._load(entry_id, entry)
            case "hold" | "claim":
                rows = "\t".join(entry[column] for column in COLUMNS[verb])
                self.entries -= 1
                self._holds(entry_id, rows) if verb == "hold" else self._claims(entry_id, rows)
            case "rule" | "jump" | "mend":
                pass  # `mend` brought a key back to what the journal said
            case other:
                self.differences.append(f"journal {entry_id}: unknown verb {other}")

    def _load(self, entry_id: str, entry: dict[str, str]) -> None:
        for number in filter(None, entry.get("numbers", "").split(",")):
            if number in self.owner:
                self._doubt(number, f"number {number}: loaded twice, again at {entry_id}")
            self.owner.setdefault(number, "")
        if "sku" in entry:
            count = int(entry["quantity"])
            self.skus[entry["sku"]] = Counter(loaded=count, free=count)

    def _move(self, entry_id: str, verb: str, number: str, sku: str, was: str, to: str) -> None:
        found = self.owner.get(number)
        if found is None:
            self._doubt(number, f"number {number}: {verb} at {entry_id}, but it was never loaded")
        elif found != was:
            self._doubt(
                number,
                f"number {number}: {verb} at {entry_id} expects {was or 'free'}, it is {found or 'free'}",
            )
        self.owner[number] = to
        if sku:
            places = self.skus.setdefault(sku, Counter())
            places[_place(was)] -= 1
            places[_place(to)] += 1
            if places[_place(was)] < 0:
                self._doubt(sku, f"{sku}: less than none {_place(was)} at {entry_id}")

    def _order(self, entry_id: str, verb: str, order_id: str, state: str) -> None:
        order = self.orders.get(order_id)
        if order is None:
            self._never(entry_id, verb, "order", order_id)
        else:
            order.state = state

    def _never(self, entry_id: str, verb: str, what: str, name: str) -> None:
        self._doubt(name, f"{what} {name}: {verb} at {entry_id}, but it never was")

    def _doubt(self, name: str, difference: str) -> None:
        self.doubted.add(name)
        self.differences.append(difference)


def _place(owner: str) -> str:
    return _OWNED[owner[0]] if owner else "free"
