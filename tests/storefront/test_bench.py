"""The bench at its smallest: that it runs, that its counts agree, that it proves what it says. No times."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storefront import bench_report
from storefront.bench_load import Told
from storefront.bench_shop import BenchError
from tests.shop import ROOT

SERVER = os.environ.get("HAOKA_TEST_DATABASE_URL", "")


def _bench(folder: Path, *args: str) -> tuple[dict[str, Any], str]:
    """What `haoka bench` wrote as JSON and what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAOKA_")}
    given = kept | ({"HAOKA_TEST_DATABASE_URL": SERVER} if SERVER else {})
    database = "postgres" if SERVER else "sqlite"
    done = subprocess.run(
        [sys.executable, "-m", "storefront", "bench", "--database", database, "--quick", *args,
         "--json", str(folder / "result.json")],
        cwd=ROOT, env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "result.json").read_text()), done.stdout


@pytest.mark.shop
@pytest.mark.skipif(not shutil.which("wrk"), reason="no wrk: apt-get install wrk")
def test_a_quick_bench_is_clean_and_its_counts_agree(tmp_path: Path) -> None:
    found, printed = _bench(tmp_path)
    details = found["details"]
    assert found["audit_clean"] is True
    measured = {"bare_rps", "hold_ratio", "sold_out_ratio", "order_cost", "pool_ratio"}
    assert {name for name in measured if not found[name] > 0} == set()
    assert list(found["search_p99_ms"]) == [str(size) for size in details["plan"]["stacks"]]
    placed = sum(details[name]["answers"]["order 201"] for name in ("order", "order_with_workers"))
    assert details["orders"] == {"order": placed}
    assert details["accepted"]["empty"] == 1
    assert details["accepted"]["order"] == placed
    assert {name: details[name]["others"] for name in ("hold", "sold_out", "order")} == {
        "hold": {}, "sold_out": {}, "order": {},
    }  # fmt: skip
    assert (details["machine"]["appendonly"], details["machine"]["appendfsync"]) == ("yes", "always")
    assert f"| bare route | {found['bare_rps']:,.0f} | 1.000 |" in printed


@pytest.mark.shop
def test_a_sell_out_is_exact(tmp_path: Path) -> None:
    found, printed = _bench(
        tmp_path, "sell-out", "--numbers", "300", "--buyers", "400", "--connections", "40"
    )
    assert found["details"]["outcomes"] == {"held": 300, "sold_out": 100}
    assert [found[name] for name in ("held", "doubles", "told_sold_out", "audit_clean")] == [
        300,
        0,
        100,
        True,
    ]
    assert (
        "sell-out: 400 buyers, 300 numbers: 300 holds, 0 doubles, 100 told sold_out, audit clean;" in printed
    )


def test_an_answer_nobody_expected_is_no_figure() -> None:
    told = Told(3, {"201": 2, "503 unavailable": 1}, 0.5, 1.0, 2.0, 0)
    assert told.rate("201") == 4.0
    with pytest.raises(BenchError, match="503 unavailable"):
        told.only("201")


def test_the_page_keeps_everything_around_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- end bench -->\nafter\n")
    monkeypatch.setattr(bench_report, "PAGE", page)
    bench_report.write("bench", ["| new |", "", "on Debian"])
    assert page.read_text() == "before\n<!-- bench -->\n| new |\n\non Debian\n<!-- end bench -->\nafter\n"
    with pytest.raises(ValueError, match="no marks for servers"):
        bench_report.write("servers", [])


def test_the_page_of_benchmarks_has_all_its_marks() -> None:
    text = bench_report.PAGE.read_text(encoding="utf-8")
    for section in ("bench", "sell-out", "servers"):
        assert text.count(f"<!-- {section} -->\n") == text.count(f"<!-- end {section} -->\n") == 1
