"""The journeys by HTTP: the documented tour as it stands in the docs, and a handset with contract."""

import os
import re
import subprocess

from tests.shop import ROOT, Shop, Shopper, until


def test_the_documented_tour_runs(shop: Shop) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/tour.md").read_text(), re.S)
    script = "set -euo pipefail\n" + "\n".join(blocks)
    sf = shop.demo["partners"]["SF"]
    env = os.environ | {"BASE": shop.base, "PARTNER": f"{sf['client_id']}:{sf['client_secret']}"}
    run = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, timeout=280, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("is activated") == 2, run.stdout
    audit = shop.haoka("audit", "first-round")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert audit.stdout.splitlines()[-1] == "first-round: 0 differences"


def test_a_handset_with_contract_paid_by_alipay(shop: Shop) -> None:
    li = Shopper.sign_in(shop, 101)
    offer = li.offer("first-round", "bundle")
    number = li.numbers("first-round", limit=1)[0]["number"]
    hold = li.hold("first-round", number, offer["id"]).raise_for_status().json()
    placed = li.place(hold["hold"], "alipay").raise_for_status().json()
    assert placed["number"] == number
    assert placed["due_now_fen"] == offer["due_now_fen"]
    li.until_state(placed["order"], "awaiting_payment")
    li.sign(placed["order"])
    started = li.http.post(f"/api/v1/orders/{placed['order']}/payment", json={}).raise_for_status().json()
    # The person presses Pay on the bank's page, which is a plain form.
    bank = li.http.get(started["redirect_url"])
    assert 'name="do" value="pay"' in bank.text
    back = li.http.post(str(bank.url), data={"do": "pay"}, headers={"Origin": shop.base})
    assert f"/orders/{placed['order']}" in back.headers["location"]
    done = li.until_state(placed["order"], "packed")
    assert done["contract"] == "signed"
    parcel = done["parcel"]
    assert parcel is not None
    partner = shop.partner(parcel["courier"])

    def line() -> dict[str, object] | None:
        for head in partner.get("/partner/v1/manifests", params={"limit": 100}).json()["manifests"]:
            for one in partner.get(f"/partner/v1/manifests/{head['manifest_no']}").json()["lines"]:
                if one["order_no"] == placed["order"]:
                    found: dict[str, object] = one
                    return found
        return None

    assert until(line)["id_check_required"] is True
