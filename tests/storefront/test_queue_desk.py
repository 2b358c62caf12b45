"""The queue where people meet it: ops' form, the command line, the waiting page and the draw's page."""

import html
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from redis import Redis

from inventory import draw, queue_follow
from loadtests.proof import solved
from storefront.cli import main
from tests.checkout.shop import DROP
from tests.shop import until
from tests.storefront.conftest import Site

RULES = {
    "mode": "always", "rate": "20", "cap": "300", "stay_seconds": "240", "come_seconds": "90", "limit_network": "0",
    "limit_device": "2", "limit_person": "1", "challenge": "0",
}  # fmt: skip


def change(site: Site, **given: str) -> tuple[int, str]:
    path = f"/ops/drops/{DROP}"
    form = {**RULES, "reason": "a busy night", "csrf": site.csrf(path), **given}
    answer = site.browser.post(f"{path}/queue", data=form)
    return answer.status_code, answer.text


def test_ops_give_a_drop_a_queue_and_see_it_in_the_history(site: Site) -> None:
    site.staff()
    status, page = change(site)
    assert status == 200
    assert "a busy night" in page
    told = json.loads(CliRunner().invoke(main, ["drop", "queue", DROP, "--json"]).stdout)
    assert {name: str(told[name]) for name in RULES} == RULES


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("rate", "0", "Give a whole number from 1 to 100,000."),
        ("cap", "many", "Give a whole number."),
        ("stay_seconds", "5", "Give seconds from 30 to 3,600."),
        ("come_seconds", "", "Give a whole number."),
        ("limit_device", "-1", "Give a whole number."),
        ("challenge", "4", "Give a level from 0 (none) to 3 (hard)."),
        ("mode", "on", "The queue is off, always or busy."),
        ("reason", " ", "Say why, in a few words."),
    ],
)
def test_what_cannot_be_is_said_at_the_field_and_nothing_typed_is_lost(
    site: Site, field: str, typed: str, sentence: str
) -> None:
    site.staff()
    status, page = change(site, **{field: typed})
    assert status == 422
    assert sentence in page
    assert 'value="240"' in page or field == "stay_seconds"


def test_a_viewer_sees_the_queue_and_does_not_change_it(site: Site) -> None:
    site.staff("viewer")
    assert change(site)[0] == 403


def test_the_command_line_changes_one_rule_and_wants_a_reason(site: Site) -> None:
    run = CliRunner().invoke
    assert "has no queue" in run(main, ["drop", "queue", DROP]).stdout
    assert run(main, ["drop", "queue", DROP, "--mode", "always"]).exit_code == 2
    made = run(main, ["drop", "queue", DROP, "--mode", "busy", "--rate", "7", "--reason", "a test"])
    assert "mode busy, rate 7, cap 2000" in made.stdout
    wrong = run(main, ["drop", "queue", DROP, "--inside", "0", "--reason", "a test"])
    assert (wrong.exit_code, wrong.stderr) == (1, "cap: Give a whole number from 1 to 1,000,000.\n")
    assert run(main, ["drop", "queue", "nothing", "--rate", "7", "--reason", "a test"]).exit_code == 1


def test_the_pages_of_a_drop_with_a_queue(site: Site) -> None:
    CliRunner().invoke(main, ["drop", "queue", DROP, "--mode", "always", "--reason", "a test"])
    queue_follow.refresh()
    stranger = site.browser.get(f"/drops/{DROP}/queue")
    assert "Sign in to join the queue" in stranger.text
    assert "There is a queue for this drop" in site.browser.get(f"/drops/{DROP}").text
    page = site.browser.get(f"/drops/{DROP}/draw").text
    told = draw.Draw(**site.browser.get(f"/api/v1/drops/{DROP}/draw").json())
    assert told.commitment in page
    assert told.seed == ""
    assert site.browser.get("/drops/nothing/queue").status_code == 404
    assert site.browser.get("/drops/nothing/draw").status_code == 404


def _join(site: Site) -> str:
    """Take a place; gives the waiting page's address."""
    site.sign_in()
    waiting = f"/drops/{DROP}/queue"
    until(lambda: site.browser.get(f"/api/v1{waiting}").status_code == 200)
    site.browser.post(waiting, data={"csrf": site.csrf(waiting)})
    return waiting


def test_looking_again_and_again_costs_redis_nothing(site: Site, redis: Redis) -> None:
    CliRunner().invoke(main, ["drop", "queue", DROP, "--mode", "always", "--reason", "a test"])
    waiting = _join(site)

    def asked_for_one() -> int:
        """Calls that look up something of one person or page; followers make others."""
        told: Any = redis.info("commandstats")
        return sum(int(told.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("hget", "evalsha"))

    looks = (waiting, f"/drops/{DROP}", f"/api/v1/drops/{DROP}", f"/api/v1/drops/{DROP}/queue")
    for path in looks:
        site.browser.get(path)
    before = asked_for_one()
    for _ in range(25):
        assert [site.browser.get(path).status_code for path in looks] == [200] * 4
    followers = 4 * 2  # admission, four times a second
    assert asked_for_one() - before < followers * 5


def test_the_queue_is_measured(site: Site) -> None:
    site.staff()
    change(site)
    _join(site)
    called = f'haoka_queue_people{{drop="{DROP}",state="called"}} 1.0'
    until(lambda: called in site.browser.get("/metrics").text)
    assert "haoka_queue_streams 0.0" in site.browser.get("/metrics").text


def test_joining_by_page_asks_for_work_where_ops_say_so(site: Site) -> None:
    site.staff()
    change(site, challenge="1")
    site.sign_in()
    waiting = f"/drops/{DROP}/queue"
    until(lambda: "data-work" in site.browser.get(waiting).text)
    page = site.browser.get(waiting).text
    [work] = re.findall(r'data-work="([^"]+)"', page)
    assert "/proof" in page
    assert "needs JavaScript" in page
    csrf = site.csrf(waiting)
    refused = site.browser.post(waiting, data={"csrf": csrf, "proof": "made up"})
    assert refused.status_code == 403
    assert "crowd out people" in refused.text
    proof = solved(json.loads(html.unescape(work)))
    joined = site.browser.post(waiting, data={"csrf": csrf, "proof": proof})
    assert joined.status_code == 200
    assert "data-work" not in joined.text
    assert "data-stream" in joined.text


def test_a_drop_without_a_queue_sends_on_to_its_page(site: Site) -> None:
    answer = site.browser.get(f"/drops/{DROP}/queue")
    assert answer.url.path == f"/drops/{DROP}"


def test_verify_says_what_it_cannot_read_and_what_does_not_fit(tmp_path: Path) -> None:
    run, file = CliRunner().invoke, tmp_path / "draw.json"
    held = draw.make("d1", "ab" * 32, [f"{n:024x}" for n in range(50)])
    file.write_bytes(msgspec.json.encode(held))
    good = run(main, ["draw", "verify", str(file), "--commitment", held.commitment.upper()])
    assert (good.exit_code, good.stdout) == (
        0,
        f"the draw of d1 is good: 50 tickets, final seed {held.final_seed}\n",
    )
    other = run(main, ["draw", "verify", str(file), "--commitment", "00" * 32])
    assert (other.exit_code, "before the opening it was 0000" in other.stdout) == (1, True)
    for text in ("", "[]", '{"drop": 1}', "\xff"):
        file.write_text(text, encoding="latin-1")
        refused = run(main, ["draw", "verify", str(file)])
        assert (refused.exit_code, "is no published draw" in refused.stderr) == (1, True), text
    assert run(main, ["draw", "verify", str(tmp_path / "none")]).exit_code == 1
