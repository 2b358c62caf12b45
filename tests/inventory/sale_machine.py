"""Steps of any verb in any order, each compared with the book: what test_model.py runs on real servers."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from hypothesis.stateful import rule as step
from redis import Redis

from inventory import audit, coalesce, drops, expire, holds, lots, stock, verbs
from inventory.claims import Claimed, Wish
from inventory.models import Drop
from runtime.facts import Fact
from runtime.redis import hot
from tests.inventory.stock_book import Answer, Book

REPLAYS = 0.5  # of the steps that have something to send again
DROP, SKU, UNITS = "d1", "ip4", 3
ACCOUNTS = st.sampled_from(["li", "wang", "zhang", "chen"])
PEOPLE = st.sampled_from(["", "", "p1", "p2"])
PICK = st.integers(0, 99)
NUMBERS = st.integers(0, 3)
ORDERS = st.sampled_from([f"o{n}" for n in range(6)])
WISH = st.tuples(
    ACCOUNTS, PEOPLE, st.lists(NUMBERS, max_size=3, unique=True), st.sampled_from(["", "", SKU]), PICK
)
CLAIM = st.tuples(PICK, ORDERS, st.sampled_from(["", "p1", "p2"]))

Do = Callable[[], None]
Request = tuple[str, str, str, tuple[str, ...], str]  # token, account, person, wanted, sku


class Sale(RuleBasedStateMachine):
    """One drop just loaded, and its book."""

    server: Redis
    numbers: tuple[str, ...]
    loaded: tuple[tuple[bytes, bytes], ...]  # every key of the drop as it was after loading
    drop: Drop
    quick: Drop  # the same with holds that end at once
    units: dict[str, int]  # handsets by sku
    earlier: Counter[str]  # what accounts and people have from another round of the campaign
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    seen: Counter[str]  # steps, replays, and each answer, over all examples

    def __init__(self) -> None:
        super().__init__()
        pipe = self.server.pipeline(transaction=False)
        pipe.flushall()
        for key, value in self.loaded:
            pipe.restore(key, 0, value)
        pipe.execute()
        expire._last.clear()
        limits = self.drop.limit_account, self.drop.limit_person
        self.book = Book(self.numbers, self.units, limits, self.earlier)
        # Over several lots limits and numbers are decided one after the other, each in its own.
        self.alone = self.drop.lots == 1
        self.version = self.drop.version
        self.calls: list[Do] = []  # that have an answer for ever: sent again they move nothing

    @initialize(seed=st.integers(0, 2**32))
    def shuffle(self, seed: int) -> None:
        self.dice = random.Random(seed)

    # -- the steps

    @step(wish=WISH)
    def hold(self, wish: Any) -> None:
        self.next(lambda: self._hold([self._wish(wish)]))

    @step(wishes=st.lists(WISH, min_size=2, max_size=5))
    def hold_many(self, wishes: list[Any]) -> None:
        self.next(lambda: self._hold([self._wish(wish) for wish in wishes]))

    @step(pick=PICK, account=st.one_of(st.none(), ACCOUNTS))
    def release(self, pick: int, account: str | None) -> None:
        token, owner = self._some_hold(pick)
        self.next(lambda: self._release(token, account or owner))

    @step(claims=st.lists(CLAIM, min_size=1, max_size=4), stranger=st.integers(0, 19))
    def claim(self, claims: list[Any], stranger: int) -> None:
        wishes = []
        for pick, order, person in claims:
            token, owner = self._some_hold(pick)
            if not self.alone:  # an order is known in its number's lot alone; its one hold is SQL's to keep
                order += token[-4:]
            wishes.append(Wish(token, "chen" if not stranger else owner, order, person))
        self.next(lambda: self._claim(wishes))

    @step(pick=PICK, number=st.one_of(st.none(), st.none(), NUMBERS))
    def settle(self, pick: int, number: int | None) -> None:
        order, asked = self._some_order(pick, number)
        self.next(lambda: self._settle(order, asked))

    @step(pick=PICK, number=st.one_of(st.none(), st.none(), NUMBERS), cool=st.booleans())
    def give_back(self, pick: int, number: int | None, cool: bool) -> None:
        order, asked = self._some_order(pick, number)
        self.next(lambda: self._give_back(order, asked, cool))

    @step()
    def end_what_is_due(self) -> None:
        self.next(self._expire)

    @step(state=st.sampled_from(["open", "open", "open", "paused", "closed"]), quick=st.booleans())
    def rule(self, state: str, quick: bool) -> None:
        self.next(lambda: self._rule(state, quick))

    @step(ms=st.sampled_from([3_600_000, -3_600_000, 86_400_000, -86_400_000]))
    def clock_jump(self, ms: int) -> None:
        self.next(lambda: self._jump(ms))

    # -- what they do

    def next(self, do: Do) -> None:
        """Do it, or in three of ten steps an earlier call again; then every unit is where the book says."""
        self.seen["steps"] += 1
        if self.calls and self.dice.random() < REPLAYS:
            self.seen["replays"] += 1
            before = self._written(), self.book.tally()
            self.dice.choice(self.calls)()
            assert (self._written(), self.book.tally()) == before
        else:
            do()
        if not self.alone:
            lots.tick(DROP, -1)  # what lies between the lots is put right
        assert drops.tally(DROP) == self.book.tally()

    def _hold(self, wishes: list[Request]) -> None:
        told = self.run(_all(wishes) if self.alone else _in_turn(wishes))
        for wish, answer in zip(wishes, told, strict=True):
            token, account, person, wanted, sku = wish
            expected = self.book.hold(token, account, person, wanted or tuple(answer[2:3]), sku)
            if self.alone or not self._excused(account, answer, expected):
                assert answer == expected
            self.seen[f"hold {answer[0]}"] += 1
        moved = [w for w, answer in zip(wishes, told, strict=True) if answer[:2] == ("held", w[0])]
        if moved:
            self.calls.append(lambda: self._hold(moved))

    def _release(self, token: str, account: str) -> None:
        answer = _told(lambda: holds.release(token, account))
        assert answer == self.book.release(token, account)
        self.seen[f"release {''.join(answer[:1])}"] += 1
        self.calls.append(lambda: self._release(token, account))

    def _claim(self, wishes: list[Wish]) -> None:
        if len(wishes) > 1 and not self.alone:  # each in its lot, so in no order
            wishes = wishes[:1]
        told = holds.claim_many(DROP, wishes) if len(wishes) > 1 else [_one(wishes[0])]
        for wish, answer in zip(wishes, told, strict=True):
            expected = self.book.claim(wish.hold_id, wish.account, wish.order_id, wish.person)
            if self.alone or "claimed" in (_claimed(answer)[0], expected[0]):
                assert _claimed(answer) == expected
            self.seen[f"claim {expected[0]}"] += 1
        moved = [w for w, answer in zip(wishes, told, strict=True) if isinstance(answer, Claimed)]
        if moved:
            self.calls.append(lambda: self._claim(moved))

    def _settle(self, order: str, number: str) -> None:
        answer = _told(lambda: holds.settle(DROP, order, number))
        assert answer == self.book.settle(order, number)
        self.seen[f"settle {''.join(answer)}"] += 1
        if not answer:
            self.calls.append(lambda: self._settle(order, number))

    def _give_back(self, order: str, number: str, cool: bool) -> None:
        holds.give_back(DROP, order, number, to="cooling" if cool else "free")
        self.book.give_back(order, number, cool)
        if order in self.book.orders and self.book.orders[order].number == number:
            self.calls.append(lambda: self._give_back(order, number, cool))

    def _expire(self) -> None:
        ended = expire.run(DROP)
        assert ended == self.book.expire()
        self.seen["expired"] += ended

    def _rule(self, state: str, quick: bool) -> None:
        self.version += 1
        version, drop = self.version, self.quick if quick else self.drop
        stock.rule(drop, state, version)
        self.book.state, self.book.hold_ms = state, drop.hold_seconds * 1000
        self.calls.append(lambda: _nothing(stock.rule(drop, state, version)))

    def _jump(self, ms: int) -> None:
        """Redis's clock goes that far, as the clock process sees it: what it was told last is so much older."""
        self._expire()
        live = {id: holds.find(id).expires_at for id, hold in self.book.holds.items() if hold.state == "held"}
        _set_back(ms)
        assert expire.run(DROP) == 0
        for id, expires_at in live.items():
            moved = (holds.find(id).expires_at - expires_at).total_seconds() * 1000
            assert abs(moved - ms) < 2_000
            self.book.holds[id].left += ms  # its time moved along, the real clock did not

    # -- what they need

    def _excused(self, account: str, answer: Answer, expected: Answer) -> bool:
        """Over several lots it may be another reason that refuses, and a token that is spent may be refused or give
        the account's live hold."""
        if expected[0] == "held" and expected[-1] != "held":
            return answer[0] != "held" or self.book.holds[answer[1]].account == account
        return "held" not in (answer[0], expected[0])

    def _wish(self, wish: Any) -> Request:
        account, person, wanted, sku, pick = wish
        token = holds.new_token(DROP, account, str(len(self.book.holds)) + str(pick))
        if pick >= 88 and self.book.holds and self.alone:  # somebody else's, most of the time
            token, _ = self._some_hold(pick)
        numbers = tuple(self.numbers[n] for n in wanted)
        if self.alone:
            return token, account, person, numbers, sku
        return token, account, person, numbers[:1], ""  # of one lot alone, and a lot has units of its own

    def _some_hold(self, pick: int) -> tuple[str, str]:
        """A hold and its account; the newest more often than the old."""
        known = list(self.book.holds.items())
        if not known:
            return holds.new_token(DROP, "li"), "li"
        token, hold = known[-1 - pick % min(len(known), 3 if pick < 70 else 99)]
        return token, hold.account

    def _some_order(self, pick: int, number: int | None) -> tuple[str, str]:
        """An order and its number, or another number."""
        known = [*self.book.orders, "none"]
        order = known[pick % len(known)]
        right = self.book.orders[order].number if order != "none" else self.numbers[0]
        return order, right if number is None else self.numbers[number]

    def _written(self) -> int:
        """How much is in the journal: whatever moves a unit writes there."""
        return sum(hot().xlen(verbs.key(DROP, "journal", lot)) for lot in range(self.drop.lots))

    def teardown(self) -> None:
        assert audit.journal_audit(DROP, self.book.told()).differences == []


async def _all(wishes: list[Request]) -> list[Answer]:
    """In one turn of the loop, so they go to Redis as one call."""
    return await asyncio.gather(*(_ask(*wish) for wish in wishes))


async def _in_turn(wishes: list[Request]) -> list[Answer]:
    return [await _ask(*wish) for wish in wishes]


async def _ask(token: str, account: str, person: str, wanted: tuple[str, ...], sku: str) -> Answer:
    if len(wanted) > 1:  # as `like` sends it: the next best go along
        return _words(
            await coalesce.decide("hold", DROP, (token, account, person, ",".join(wanted), "card", sku))
        )
    try:
        held = await holds.hold(
            DROP, token=token, account=account, person=person, number="".join(wanted), offer="card", sku=sku
        )
    except Fact as fact:
        return _fact(fact)
    return "held", held.id, held.number, held.state


def _words(answer: list[str]) -> Answer:
    match answer:
        case ["held", id, number, _, _, _, state]:
            return "held", id, number, state
        case ["limit", whose]:
            return "limit_reached", whose
        case ["paused" | "closed" as state]:
            return (f"drop_{state}",)
        case ["stranger"]:
            return ("not_found",)
    return tuple(answer)


def _fact(fact: Fact) -> Answer:
    return fact.code, *(
        str(fact.details[name]) for name in ("what", "whose", "order_id") if name in fact.details
    )


def _nothing(_answer: object) -> None:
    """For calls whose answer says nothing about the stock."""


def _told(call: Callable[[], None]) -> Answer:
    try:
        call()
    except Fact as fact:
        return _fact(fact)
    return ()


def _one(wish: Wish) -> Claimed | Fact:
    try:
        return holds.claim(wish.hold_id, account=wish.account, order_id=wish.order_id, person=wish.person)
    except Fact as fact:
        return fact


def _claimed(answer: Claimed | Fact) -> Answer:
    return _fact(answer) if isinstance(answer, Fact) else ("claimed", answer.number, answer.sku)


def _set_back(ms: int) -> None:
    for lot, (steady, now, seq, jumps) in expire._last.items():
        expire._last[lot] = (steady, str(int(now) - ms), seq, jumps)
