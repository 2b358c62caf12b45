"""A drop of its own and signed-in, verified shoppers in a running shop: nobody waits for thousands of SMS.

`python -m tests.proof.world DROP NUMBERS SHOPPERS`, in a shop's settings, makes both and prints them as JSON."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from sqlalchemy import select

from inventory.models import Number
from runtime.db import reading
from storefront import bench_world, processes
from tests.shop import ROOT, Shop


@dataclass(frozen=True)
class Buyer:
    """Somebody signed in and verified, who needs no name and no ID number to order."""

    account: str
    token: str
    phone: str

    def order_body(self, hold: str, payment: str) -> dict[str, object]:
        receiver = {
            "name": "测试", "mobile": self.phone, "province": "北京市", "city": "110100", "district": "朝阳区",
            "address": "示范路8号2单元301室",
        }  # fmt: skip
        return {"hold": hold, "name": "", "id_number": "", "payment": payment, "receiver": receiver}


@dataclass(frozen=True)
class World:
    """A drop, its one offer, its numbers, and who may buy."""

    drop: str
    offer: str
    numbers: list[str]
    buyers: list[Buyer]


def made(shop: Shop, drop: str, numbers: int, buyers: int) -> World:
    """Make them in a running shop's own database and Redis."""
    command = [sys.executable, "-m", "tests.proof.world", drop, str(numbers), str(buyers)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(shop), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    known = json.loads(done.stdout.splitlines()[-1])
    return World(drop, f"{drop}-card", known["numbers"], [Buyer(**one) for one in known["buyers"]])


def environment(shop: Shop) -> dict[str, str]:
    """What another process of that shop is started with."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAOKA_")}
    return (
        kept
        | {"HAOKA_HOME": str(shop.home), "HAOKA_PORT": str(shop.port), "HAOKA_LOG_LEVEL": "WARNING"}
        | shop.env
    )


def main() -> int:
    drop, numbers, buyers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    processes.prepare()
    with reading() as session:
        known = set(session.scalars(select(Number.number)))
    stock = (number for number in bench_world.ordinary_numbers() if number not in known)
    loaded = bench_world.drop(drop, numbers, stock)
    told = [asdict(Buyer(one.account, one.token, one.phone)) for one in bench_world.shoppers(buyers)]
    print(json.dumps({"numbers": loaded, "buyers": told}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
