"""A drop's queue as this process knows it: every place, how far it was served, who is inside. Looking up a place asks
nobody."""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime

from inventory import draw, journal, queue_archive
from inventory.journal import Entry
from inventory.tallies import Tally
from runtime import clock

PACE_OVER = 30_000  # ms that the pace is told of
_SURE = 1.1  # so much more or less than needed makes it likely or unlikely


@dataclass(frozen=True)
class Place:
    """Where a shopper stands. Times are UTC. `state`:

    - `none`: has no place;
    - `early`: came before the opening; the draw decides the place;
    - `waiting`: `ahead` people are before them, at `pace` people a second, so it takes about `estimate_s` seconds;
    - `called`: may come in until `come_by`;
    - `inside`: may pick and hold until `until`;
    - `missed`, `over`: did not come in time; the time inside is over. Both may queue again;
    - `gone`: nothing is free at the moment; what comes back is offered from `second_at` on, in the order of places;
    - `ended`: nothing will come any more."""

    state: str
    place: int = 0
    ahead: int = 0
    queued: int = 0
    served: int = 0
    pace: float = 0.0
    estimate_s: int | None = None
    chance: str = ""  # likely | even | unlikely, of those who wait
    free: int = 0
    loaded: int = 0
    opens_at: datetime | None = None
    come_by: datetime | None = None
    until: datetime | None = None
    second_at: datetime | None = None


@dataclass
class View:
    """Filled by queue_follow; read on the event loop. What is read together is changed by one assignment."""

    drop_id: str
    epoch: str = ""
    read_to: str = ""
    line: dict[str, str] = field(default_factory=dict)
    state: str = "before"  # before | open | paused | over
    opens_at: datetime | None = None
    free: int = 0
    unsold: int = 0  # held, or ordered and not paid: may come back
    loaded: int = 0
    taken: int = 0
    tally: Tally | None = None  # of which the four above are; None before it is loaded
    places: dict[str, int] = field(default_factory=dict)  # of early tickets 0 until the draw
    moved: list[str] = field(default_factory=list)  # tickets that queued again, in that order
    drawn: bool = False
    served: int = 0
    called: list[tuple[int, int]] = field(default_factory=list)  # served up to, ms; both ascending
    entered: dict[str, tuple[int, int]] = field(default_factory=dict)  # ticket -> place, until ms
    buyers: set[str] = field(default_factory=set)
    second_at: str | None = None  # None: something is free; "": nothing is announced
    recent: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=256))

    @property
    def mode(self) -> str:
        return self.line.get("mode", "off")

    @property
    def gates(self) -> bool:
        """Must who wants a number have been let in? Yes, as long as nothing is known."""
        if not self.epoch:
            return True
        mode = self.mode
        if mode == "busy":
            return self.line.get("busy") == "1" or self.state == "before"
        return mode == "always"

    @property
    def last(self) -> int:
        """The last place, or how many wait for the draw."""
        return int(self.line.get("last", 0)) if self.drawn else len(self.places)

    @property
    def ended(self) -> bool:
        """Is there nothing to wait for any more?"""
        return self.state == "over" or (self.drawn and self.free < 1 and self.unsold < 1 and self.loaded > 0)

    def apply(self, entry: Entry, order: draw.Draw | None = None) -> None:
        """One entry of the queue's stream; with the draw's own comes the order."""
        entry_id, fields = entry
        at = journal.place(entry_id)[0]
        match fields["verb"]:
            case "join":
                for ticket, place in queue_archive.rows(fields):
                    if ticket in self.places:
                        self.moved.append(ticket)
                    self.places[ticket] = 0 if place == "early" else int(place)
            case "draw":
                assert order is not None
                self.places.update({ticket: place for place, ticket in enumerate(order.order, 1)})
                self.drawn = True
            case "let":
                served = int(fields["served"])
                self.called.append((served, at))
                self.recent.append((served, at))
                self.served = served
            case "enter":
                for ticket, until, place in queue_archive.stays(fields):
                    self.entered[ticket] = (int(place), int(until))
            case "buy":
                self.buyers.update(fields["rows"].split("\n"))
            case "gone":
                self.second_at = fields["second_at"]
            case "again":
                self.second_at = None

    def pace(self, now: int) -> float:
        """People a second who were called lately."""
        since = now - PACE_OVER
        lately = [
            step for step in tuple(self.recent) if step[1] >= since
        ]  # the follower adds to it meanwhile
        if not lately:
            return 0.0
        before = (
            self.called[max(0, len(self.called) - len(lately)) - 1][0]
            if len(self.called) > len(lately)
            else 0
        )
        begun = self.called[0][1] if len(self.called) == len(lately) else since
        return (self.served - before) / max(1.0, (now - begun) / 1000)

    def stay(self, ticket: str) -> int:
        """Until when (ms) this ticket may stay inside; 0 if it never came in on the place it has."""
        entered = self.entered.get(ticket)
        return entered[1] if entered and entered[0] == self.places.get(ticket) else 0

    def called_at(self, place: int) -> int:
        """When (ms) this place was called; it was."""
        at = bisect_left(self.called, (place, 0))
        return self.called[at][1] if at < len(self.called) else 0

    def place(self, ticket: str, known: int | None = None) -> Place:
        """Where this ticket stands. `known`: its place as a signed ticket says it, where the news of it is still
        under way; 0 for an early one."""
        place = self.places.get(ticket, known)
        seen = Place(
            "none", place or 0, queued=self.last, served=self.served, free=self.free, loaded=self.loaded,
            opens_at=self.opens_at,
        )  # fmt: skip
        now, until = clock.now_ms(), self.stay(ticket)
        if place is None:
            return replace(seen, state="ended") if self.ended else seen
        if until > now and self.state != "over":
            return replace(seen, state="inside", until=clock.from_ms(until))
        if self.ended or not place or until:
            return replace(seen, state="ended" if self.ended else "over" if until else "early")
        if place <= self.served:
            come_by = self.called_at(place) + int(self.line.get("come_ms", 0))
            if now > come_by:
                return replace(seen, state="missed")
            return replace(seen, state="called", come_by=clock.from_ms(come_by))
        ahead, gone, pace = place - self.served - 1, self.second_at is not None, self.pace(now)
        return replace(
            seen, state="gone" if gone else "waiting", ahead=ahead, pace=round(pace, 2), chance=self._chance(ahead),
            estimate_s=round((ahead + 1) / pace) if pace > 0 and not gone else None,
            second_at=clock.from_ms(int(self.second_at)) if self.second_at else None,
        )  # fmt: skip

    def _chance(self, ahead: int) -> str:
        """Is what is free enough for those ahead who buy, as far as can be seen?"""
        if not self.loaded:
            return ""
        inside = int(self.line.get("inside", 0))
        needed = (ahead + inside) * float(self.line.get("buy", 1)) + 1
        if self.free >= needed * _SURE:
            return "likely"
        return "unlikely" if self.free * _SURE < needed else "even"
