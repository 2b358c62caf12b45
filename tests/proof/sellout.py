"""A drop sold out over HTTP: more buyers than numbers, many connections, and each number wanted by several."""

import asyncio
from collections import Counter

from tests.proof.wire import Wire
from tests.proof.world import Buyer, made
from tests.shop import Shop, until

DROP = "sell-out"


def sell_out(shop: Shop, numbers: int, attempts: int, connections: int) -> list[str]:
    """What is not as it must be: each number sold once, the others told that it is taken or all is gone."""
    world = made(shop, DROP, numbers, attempts)
    # Those who want the same number come at the same moment.
    wishes = [(buyer, world.numbers[nth * numbers // attempts]) for nth, buyer in enumerate(world.buyers)]
    answers = asyncio.run(_rush(shop.port, world.offer, wishes, connections))
    held = Counter(number for word, number in answers if word == "held")
    refused = Counter(word for word, _ in answers if word != "held")
    found = [f"{number} was promised to {count}" for number, count in held.items() if count > 1]
    if len(held) != numbers:
        found.append(f"{len(held)} of {numbers} numbers were sold")
    if refused.keys() - {"taken", "sold_out"} or held.total() + refused.total() != attempts:
        found.append(f"{attempts} attempts: {held.total()} held, refused {dict(refused)}")
    status = shop.haoka("drop", "status", DROP).stdout
    if f"= free 0 + held {numbers} +" not in status:
        found.append(f"status: {status}")
    audit = until(lambda: shop.haoka("audit", DROP), seconds=60)
    return found + [line for line in audit.stdout.splitlines() if "DIFFERENCE" in line]


async def _rush(
    port: int, offer: str, wishes: list[tuple[Buyer, str]], connections: int
) -> list[tuple[str, str]]:
    answers: list[tuple[str, str]] = []
    left = iter(wishes)

    async def connection() -> None:
        wire = Wire(port)
        for buyer, number in left:
            wish = {"number": number, "offer": offer}
            status, told = await wire.until_told(
                "POST", f"/api/v1/drops/{DROP}/holds", wish, token=buyer.token
            )
            answers.append(("held", told["number"]) if status == 201 else (told["code"], ""))
        wire.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return answers
