"""docs/partners.md is true: its columns, words and errors are the code's, and its programs run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from logistics import door, manifest_body, parcels, partners, scans
from tests.logistics.courier_world import Courier, api, cut, parcel_of, send, served

GUIDE = (Path(__file__).parents[2] / "docs" / "partners.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.split(r"^#+ ", GUIDE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text: str) -> list[str]:
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")][2:]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL))


def test_columns_scopes_and_words_are_the_codes() -> None:
    assert first_cells(section("CSV columns")) == list(manifest_body.COLUMNS)
    assert first_cells(section("Token")) == list(partners.SCOPES)
    assert first_cells(section("The door code")) == ["checked", *scans.DOOR_REASONS]
    listed = re.findall(r"`(\w+)`", section("Scans").split("Statuses,")[1].split("A scan that")[0])
    assert tuple(listed) == parcels.LADDER[1:]
    assert (door.TRIES, partners.TOKEN_SECONDS) == (5, 600)


@pytest.fixture
def partner(world: None) -> Courier:
    return Courier("SF")


def test_the_curl_lines_run(partner: Courier) -> None:
    send("ord_1")
    made = cut()
    with served(api()) as base:
        done = run(["bash", "-euc", blocks("bash")], base, partner)
    assert made.number in done
    assert "lin_" in done


def test_the_python_client_runs_and_goes_on_where_it_stopped(partner: Courier, tmp_path: Path) -> None:
    program, cursor = blocks("python"), str(tmp_path / "cursor.txt")
    with served(api()) as base:
        numbers = []
        for n in range(2):
            send(f"ord_{n}")
            numbers.append(cut().number)
            done = run([sys.executable, "-c", program], base, partner, CURSOR=cursor)
            assert done == f"{numbers[-1]} acknowledged 1\n"
    assert (parcel_of("ord_1").waybill or "").startswith("W")


def run(command: list[str], base: str, partner: Courier, **more: str) -> str:
    given = {
        "BASE": base,
        "PARTNER": f"{partner.client_id}:{partner.secret}",
        "no_proxy": "127.0.0.1",
        **more,
    }
    done = subprocess.run(
        command, env=os.environ | given, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
