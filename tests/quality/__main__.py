"""`bin/quality`: every page in both languages and colour schemes before axe, pictures of all, and Lighthouse's marks
for the five that sell. Prints what it found, writes docs/quality.md with --write-docs; exit code 1 for any violation
or a mark below 97."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests import browser as steps
from tests.quality.world import Seen, World, settle
from tests.shop import ROOT, Shop, running

TOOLS = ROOT / "build" / "quality"
PICTURES = ROOT / "docs" / "pictures" / "pages"
MARKED = ("home", "drop", "bundle", "checkout", "order")
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEAST = 97
SIZES = {"phone": steps.PHONE, "desktop": steps.DESKTOP}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/quality", description=__doc__)
    parser.add_argument(
        "--only", default="axe,pictures,weight,lighthouse", help="some of axe,pictures,weight,lighthouse"
    )
    parser.add_argument("--pages", default="", help="only these, by name, with commas")
    parser.add_argument("--write-docs", action="store_true", help="write docs/quality.md")
    given = parser.parse_args()
    only, wrong = given.only.split(","), []
    os.environ["HAOKA_HOLD_SECONDS"] = "3600"
    with running(HAOKA_HOLD_SECONDS="3600") as shop:
        world = settle(shop)
        if given.pages:
            world.pages = [one for one in world.pages if one.name in given.pages.split(",")]
        found: dict[str, Any] = {"pages": len(world.pages)}
        with steps.chromium() as browser:
            if "axe" in only:
                found["axe"] = list(_axe(browser, shop, world))
                wrong += found["axe"]
            if "pictures" in only:
                found["pictures"] = sum(1 for _ in _pictures(browser, shop, world))
            if "weight" in only:
                found["weight"] = _weight(browser, shop)
                wrong += found["weight"].pop("wrong")
        if "lighthouse" in only:
            found["marks"] = _lighthouse(shop, world)
            wrong += [
                f"{page}: {category} {mark}"
                for page, marks in found["marks"].items()
                for category, mark in marks.items()
                if mark < LEAST
            ]
    print(json.dumps(found, ensure_ascii=False, indent=1))
    for fault in wrong:
        print(f"wrong: {fault}")
    if given.write_docs:
        _write(found)
    return bool(wrong)


def _open(
    browser: Browser, shop: Shop, world: World, seen: Seen, language: str, scheme: Any, size: str = "phone"
) -> Page:
    context = browser.new_context(
        viewport=SIZES[size], color_scheme=scheme, locale="zh-CN" if language == "zh" else "en-GB",
        service_workers="block", reduced_motion="reduce",
    )  # fmt: skip
    context.add_cookies(
        [{"name": name, "value": value, "url": shop.base} for name, value in _cookies(world, seen)]
    )
    page = context.new_page()
    page.goto(shop.base + seen.path)
    return page


def _cookies(world: World, seen: Seen) -> Iterator[tuple[str, str]]:
    yield from world.cookies.get(seen.who, {}).items()


def _axe(browser: Browser, shop: Shop, world: World) -> Iterator[str]:
    """What axe finds on each page in both languages and both colour schemes, a line each."""
    source = (TOOLS / "node_modules" / "axe-core" / "axe.min.js").read_text()
    for seen in world.pages:
        for language in ("zh", "en"):
            for scheme in ("light", "dark"):
                page = _open(browser, shop, world, seen, language, scheme)
                page.evaluate(source)
                told = page.evaluate("axe.run(document)")
                for one in told["violations"]:
                    where = "; ".join(node["html"][:160] for node in one["nodes"][:2])
                    yield f"axe {seen.name} {language} {scheme}: {one['id']}: {one['help']}: {where}"
                page.context.close()


def _pictures(browser: Browser, shop: Shop, world: World) -> Iterator[Path]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for seen in world.pages:
        for size in SIZES:
            for scheme in ("light", "dark"):
                page = _open(browser, shop, world, seen, "zh", scheme, size)
                page.wait_for_load_state("networkidle" if "queue" not in seen.path else "load")
                # What sticks to the lower edge would cover the middle of a page that is taken whole.
                page.evaluate(
                    "for (const bar of document.querySelectorAll('.buybar')) bar.style.position = 'static'"
                )
                path = PICTURES / f"{seen.name}-{size}-{scheme}.jpg"
                page.screenshot(path=path, full_page=True, type="jpeg", quality=60)
                page.context.close()
                yield path


def _weight(browser: Browser, shop: Shop) -> dict[str, Any]:
    """The first load of the drop page: bytes over the wire, and hosts that were asked."""
    context = browser.new_context(viewport=steps.PHONE, locale="zh-CN", service_workers="block")
    page = context.new_page()
    client, asked = context.new_cdp_session(page), []
    client.send("Network.enable")
    sizes: dict[str, int] = {}
    client.on("Network.requestWillBeSent", lambda told: asked.append(told["request"]["url"]))
    client.on(
        "Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]})
    )
    page.goto(f"{shop.base}/drops/first-round")
    page.wait_for_load_state("networkidle")
    total, hosts = int(sum(sizes.values())), sorted({"/".join(one.split("/")[:3]) for one in asked})
    context.close()
    wrong = [f"the drop page weighs {total:,} bytes"] if total > 60 * 1024 else []
    wrong += [f"asked {host}" for host in hosts if host != shop.base and not host.startswith("data:")]
    return {"bytes": total, "requests": len(asked), "hosts": len(hosts), "wrong": wrong}


def _lighthouse(shop: Shop, world: World) -> dict[str, dict[str, int]]:
    """Lighthouse's marks as a phone sees the page, the median of three."""
    found = {}
    for seen in [one for one in world.pages if one.name in MARKED]:
        runs = [_marks(shop, world, seen) for _ in range(3)]
        found[seen.name] = {name: sorted(run[name] for run in runs)[1] for name in CATEGORIES}
        print(f"lighthouse {seen.name}: {found[seen.name]}", file=sys.stderr, flush=True)
    return found


def _marks(shop: Shop, world: World, seen: Seen) -> dict[str, int]:
    cookies = "; ".join(f"{name}={value}" for name, value in _cookies(world, seen))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "told.json"
        headers = Path(folder) / "headers.json"
        headers.write_text(json.dumps({"Cookie": cookies} if cookies else {}))
        subprocess.run(
            [
                str(TOOLS / "node_modules" / ".bin" / "lighthouse"), shop.base + seen.path, "--quiet",
                "--output=json", f"--output-path={out}", f"--extra-headers={headers}",
                f"--only-categories={','.join(CATEGORIES)}",
                "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            ],
            env=os.environ | {"CHROME_PATH": str(steps.CHROMIUM)}, check=True, timeout=180,
        )  # fmt: skip
        told = json.loads(out.read_text())
        if keep := os.environ.get("HAOKA_LIGHTHOUSE_KEEP"):
            (Path(keep) / f"{seen.name}.json").write_text(json.dumps(told))
    return {name: round(100 * (told["categories"][name]["score"] or 0)) for name in CATEGORIES}


def _write(found: dict[str, Any]) -> None:
    """docs/quality.md, with what was measured."""
    head = "| page | " + " | ".join(CATEGORIES) + " |\n|---|" + "---:|" * len(CATEGORIES)
    rows = [
        f"| {page} | " + " | ".join(str(marks[one]) for one in CATEGORIES) + " |"
        for page, marks in found["marks"].items()
    ]
    weight = found["weight"]
    text = _DOCS.format(
        marks="\n".join([head, *rows]), violations=len(found["axe"]), pages=found["pages"],
        weight=f"{weight['bytes']:,}", requests=weight["requests"],
    )  # fmt: skip
    (ROOT / "docs" / "quality.md").write_text(text, encoding="utf-8")


_DOCS = """# Quality of the pages

Measured by `bin/quality --write-docs`: a shop with something on every page, Debian's Chromium, Lighthouse as a phone
(simulated slow 4G, four times slower processor, the median of three runs), axe-core with all its rules.

{marks}

axe: {violations} violations on {pages} pages, each in Chinese and English, light and dark.

First load of the drop page: {weight} bytes over the wire in {requests} requests, all to the shop itself; everything
under `/static` carries its digest and is kept for a year.

Pictures of every page, phone and desktop, light and dark, are in [pictures/pages](pictures/pages).
"""


if __name__ == "__main__":
    sys.exit(main())
