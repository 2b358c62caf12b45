"""The ops console's catalogue: a file is looked at before it is published, and two do not overwrite each other."""

import re

from checkout import catalogue
from runtime.db import reading
from tests.storefront.conftest import Site

DEARER = '[[plan]]\ncode = "3g-66"\nfee = {}\n'


def look(site: Site, text: str, name: str = "dearer.toml") -> tuple[int, str, dict[str, str]]:
    """Send a file; the answer, and what its form would publish."""
    data = {"csrf": site.csrf("/ops/catalogue")}
    answer = site.browser.post("/ops/catalogue", data=data, files={"file": (name, text.encode())})
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    return answer.status_code, answer.text, hidden


def fee() -> int:
    with reading() as session:
        return catalogue.current(session).plan["3g-66"].fee_fen


def test_a_file_is_looked_at_and_then_published_with_a_reason(site: Site) -> None:
    site.staff()
    status, page, form = look(site, DEARER.format(69))
    assert status == 200
    assert "<del>66.00</del> → <ins>69.00</ins>" in page
    assert fee() == 6_600
    without = site.browser.post("/ops/catalogue/versions", data={**form, "reason": ""})
    assert without.status_code == 422
    assert "<ins>69.00</ins>" in without.text
    done = site.browser.post("/ops/catalogue/versions", data={**form, "reason": "new tariff"})
    assert done.url.path == "/ops/catalogue"
    assert "Version 2 is published." in done.text
    assert "new tariff" in done.text
    assert fee() == 6_900


def test_who_looked_at_an_older_version_must_look_again(site: Site) -> None:
    site.staff()
    _, _, mine = look(site, DEARER.format(69))
    _, _, other = look(site, DEARER.format(71))
    site.browser.post("/ops/catalogue/versions", data={**other, "reason": "first"})
    late = site.browser.post("/ops/catalogue/versions", data={**mine, "reason": "second"})
    assert late.status_code == 409
    assert "has changed since you looked" in late.text
    assert "<del>71.00</del>" in late.text
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', late.text))
    site.browser.post("/ops/catalogue/versions", data={**again, "reason": "second"})
    assert fee() == 6_900


def test_every_fault_of_a_file_is_told_in_the_reader_s_language(site: Site) -> None:
    site.staff()
    status, page, _ = look(site, DEARER.format('"much"') + "colour = 1\n")
    assert status == 422
    assert "plan 1, fee" in page
    assert "Give an amount in yuan" in page
    assert "plan 1, colour" in page
    site.browser.headers["Accept-Language"] = "zh"
    _, page, _ = look(site, "nothing = 1\n")
    assert "商品目录中没有nothing" in page
    _, page, _ = look(site, "", name="a.xlsx")
    assert "请提供以.toml或.csv结尾的文件" in page
    data = {"csrf": site.csrf("/ops/catalogue")}
    assert "请先选择文件" in site.browser.post("/ops/catalogue", data=data).text


def test_a_viewer_sees_the_catalogue_and_cannot_import(site: Site) -> None:
    site.staff("viewer")
    page = site.browser.get("/ops/catalogue").text
    assert "3g-66" in page
    assert "iphone-4-8" in page
    assert "Import a file" not in page
    data = {"csrf": site.csrf("/ops/catalogue")}
    file = {"file": ("a.toml", DEARER.format(69).encode())}
    sent = site.browser.post("/ops/catalogue", data=data, files=file)
    assert sent.status_code == 403
    assert fee() == 6_600
