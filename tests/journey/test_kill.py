"""kill -9 in the middle of a drop: what was acknowledged stands, and the audit is clean. Longer: bin/prove crash."""

import secrets
import subprocess
import sys
from collections.abc import Callable

import psutil

from tests.proof import crash
from tests.shop import ROOT, Shopper, running


def test_every_acknowledged_order_survives_the_kill_of_any_process(
    record_property: Callable[[str, object], None],
) -> None:
    """Each process of the shop once, in the order the seed says."""
    kills, seed = len(crash.VICTIMS), secrets.randbelow(10**6)
    command = [sys.executable, "-m", "tests.proof", "crash", "--kills", str(kills), "--orders", "160"]
    done = subprocess.run(
        [*command, "--seed", str(seed)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    closing = done.stdout.splitlines()[-1]
    assert closing.startswith(f"{kills} kills, ")
    assert closing.endswith(f" acknowledged orders, 0 lost, 0 doubled, {kills} audits clean, seed {seed}")
    record_property("proof", f"crash: {closing}")


def test_a_shop_killed_whole_starts_again_by_itself() -> None:
    with running() as shop:
        li = Shopper.sign_in(shop, 1)
        offer = li.offer("first-round")["id"]
        number = li.numbers("first-round", limit=1)[0]["number"]
        hold = li.hold("first-round", number, offer).json()
        assert shop.process
        children = [shop.part(name) for name in ("redis", "web", "twins", "clock", "checks")]
        shop.process.kill()
        shop.process.wait()
        psutil.wait_procs(children, timeout=10)
        assert not any(child.is_running() for child in children)
        shop.start()
        assert li.http.get(f"/api/v1/holds/{hold['hold']}").json()["number"] == number
        assert shop.haoka("audit", "first-round").returncode == 0
