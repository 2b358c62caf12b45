"""Pulling manifests and answering their lines over the partner API."""

import base64
import hashlib
from typing import Any

import pytest

from logistics import manifests, parcels, partner_api, scans
from runtime.api import describe
from runtime.db import reading, writing
from tests.logistics.courier_world import Courier, cut, parcel_of, scan_of, send, together

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def sf(world: None) -> Courier:
    return Courier("SF")


def accept(line: dict[str, Any], waybill: str) -> dict[str, Any]:
    return {"line_id": line["line_id"], "result": "accepted", "waybill_no": waybill}


def reject(line: dict[str, Any], reason: str = "area not served") -> dict[str, Any]:
    return {"line_id": line["line_id"], "result": "rejected", "reason": reason}


def test_the_cursor_walks_all_manifests_oldest_first_and_always_has_a_next(sf: Courier) -> None:
    empty = sf.http.get("manifests").json()
    numbers = []
    for n in range(5):
        send(f"ord_{n}")
        numbers.append(cut().number)
    seen, cursor, rounds = [], empty["next"], 0
    while True:
        page = sf.http.get("manifests", params={"after": cursor, "limit": 2}).json()
        seen += [head["manifest_no"] for head in page["manifests"]]
        cursor, rounds = page["next"], rounds + 1
        if not page["more"]:
            break
    assert (seen, rounds) == (numbers, 3)
    assert sf.http.get("manifests", params={"after": cursor}).json() == {
        "manifests": [],
        "next": cursor,
        "more": False,
    }
    assert empty == {"manifests": [], "next": empty["next"], "more": False}


def test_parcels_cut_while_a_partner_pages_are_never_skipped(sf: Courier) -> None:
    for n in range(30):
        send(f"ord_{n}")
    seen: list[str] = []

    def work(who: int) -> None:
        cursor = ""
        for _ in range(400):
            if who:
                with writing() as session:
                    manifest = manifests.cut(session, "SF")
                if manifest is None:
                    return
            else:
                page = sf.http.get("manifests", params={"after": cursor, "limit": 1}).json()
                cursor = page["next"]
                seen.extend(head["manifest_no"] for head in page["manifests"])
                with reading() as session:
                    if len(manifests.after(session, "SF", 0, 100)) == len(seen) == 10:
                        return

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifests, "WAVE", 3)
        assert together(work, 3) == [None] * 3
    with reading() as session:
        assert seen == [m.number for m in manifests.after(session, "SF", 0, 100)]


@pytest.mark.parametrize("after", ["x", "bTE=", "bS0x", "bTAx", "🙂", "bTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
def test_a_cursor_we_never_gave_is_refused(sf: Courier, after: str) -> None:
    answer = sf.http.get("manifests", params={"after": after})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["after"])


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "００", "00500"])
def test_a_limit_is_from_1_to_100(sf: Courier, limit: str) -> None:
    assert sf.http.get("manifests", params={"limit": limit}).status_code == 422


def test_a_manifest_is_served_byte_for_byte_with_a_strong_etag(sf: Courier) -> None:
    send("ord_1")
    made = cut()
    answer = sf.http.get(f"manifests/{made.number}")
    sha256 = hashlib.sha256(answer.content)
    assert (answer.headers["etag"], made.sha256) == (f'"{sha256.hexdigest()}"', sha256.hexdigest())
    assert answer.headers["content-digest"] == f"sha-256=:{base64.b64encode(sha256.digest()).decode()}:"
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "application/json",
        "private, no-cache",
    )
    again = sf.http.get(f"manifests/{made.number}")
    assert again.content == answer.content


@pytest.mark.parametrize("form", ["json", "csv"])
def test_if_none_match_spares_the_body(sf: Courier, form: str) -> None:
    send("ord_1")
    path = f"manifests/{cut().number}?format={form}"
    etag = sf.http.get(path).headers["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = sf.http.get(path, headers={"If-None-Match": sent})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert sf.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    other = sf.http.get(
        path.replace(form, "csv" if form == "json" else "json"), headers={"If-None-Match": etag}
    )
    assert other.status_code == 200


def test_csv_by_format_or_by_accept(sf: Courier) -> None:
    send("ord_1")
    path = f"manifests/{cut().number}"
    by_format = sf.http.get(path, params={"format": "csv"})
    by_accept = sf.http.get(path, headers={"Accept": "text/csv"})
    assert by_format.content == by_accept.content
    assert by_format.headers["content-type"] == "text/csv; charset=utf-8"
    assert by_format.headers["content-disposition"].startswith('attachment; filename="SF-')
    assert sf.http.get(path, headers={"Accept": "application/json, text/csv"}).json()["courier"] == "SF"
    assert sf.http.get(path, params={"format": "xml"}).status_code == 422


def test_another_couriers_manifest_is_not_there(sf: Courier) -> None:
    ems = Courier("EMS")
    send("ord_1")
    made = cut()
    [line] = sf.lines(made.number)
    assert ems.http.get("manifests").json()["manifests"] == []
    assert ems.http.get(f"manifests/{made.number}").status_code == 404
    assert ems.receipt(made.number, accept(line, "E1"), status=404)["code"] == "not_found"
    assert [one["outcome"] for one in ems.scan(scan_of("ord_1", "lost"))] == ["unknown_order"]
    assert parcel_of("ord_1").state == "manifested"


def test_a_receipt_answers_row_by_row_and_can_be_repeated(sf: Courier) -> None:
    for n in range(3):
        send(f"ord_{n}")
    made = cut()
    a, b, c = sf.lines(made.number)
    receipt = [
        accept(a, "SF100"),
        {"line_id": "lin_unknown", "result": "accepted", "waybill_no": "SF9"},
        accept(b, ""),
        {**reject(c), "reason": ""},
    ]
    first = sf.receipt(made.number, *receipt)
    assert [one["outcome"] for one in first["lines"]] == [
        "recorded",
        "unknown_line",
        "incomplete",
        "incomplete",
    ]
    assert (first["state"], first["open_lines"]) == ("pulled", 2)
    again = sf.receipt(made.number, *receipt)
    assert [one["outcome"] for one in again["lines"]] == [
        "repeated",
        "unknown_line",
        "incomplete",
        "incomplete",
    ]
    taken = sf.receipt(made.number, accept(b, "SF100"))
    assert [one["outcome"] for one in taken["lines"]] == ["waybill_in_use"]
    last = sf.receipt(made.number, accept(b, "SF101"), accept(c, " SF102 "))
    assert (last["state"], last["open_lines"]) == ("acknowledged", 0)
    assert [parcel_of(f"ord_{n}").waybill for n in range(3)] == ["SF100", "SF101", "SF102"]


def test_a_second_different_answer_is_a_conflict_told_by_line_and_records_nothing(sf: Courier) -> None:
    send("ord_1")
    send("ord_2")
    made = cut()
    a, b = sf.lines(made.number)
    sf.receipt(made.number, accept(a, "SF100"))
    refused = sf.receipt(made.number, accept(b, "SF101"), accept(a, "SF999"), status=409)
    assert (refused["code"], refused["lines"]) == (
        "receipt_conflict", [{"line_id": a["line_id"], "reason": "accepted SF100"}],
    )  # fmt: skip
    assert [parcel_of("ord_1").waybill, parcel_of("ord_2").waybill] == ["SF100", None]
    assert sf.receipt(made.number, reject(a), status=409)["code"] == "receipt_conflict"


def test_eight_receipts_at_once_are_one(sf: Courier) -> None:
    send("ord_1")
    made = cut()
    [line] = sf.lines(made.number)
    got = together(lambda _: sf.receipt(made.number, accept(line, "SF100"))["lines"][0]["outcome"], 8)
    assert sorted(got) == ["recorded"] + ["repeated"] * 7


def test_a_rejected_parcel_goes_to_the_next_courier_and_then_to_ops(sf: Courier) -> None:
    ems = Courier("EMS")
    send("ord_1")
    with writing() as session:
        code = parcels.door_code(session, "ord_1")
    made = cut()
    sf.receipt(made.number, reject(sf.lines(made.number)[0]))
    second = parcel_of("ord_1")
    assert (second.courier, second.attempt, second.state, second.receiver_name) == (
        "EMS",
        2,
        "created",
        "李雷",
    )
    by_ems = cut("EMS")
    [line] = ems.lines(by_ems.number)
    assert sf.scan(scan_of("ord_1", "lost"))[0]["outcome"] == "ignored_late"
    [done] = ems.scan(scan_of("ord_1", "delivered", door_code=code))
    assert (done["state"], done["door"]) == ("delivered", "checked")
    ems.receipt(by_ems.number, reject(line))
    assert (parcel_of("ord_1").attempt, parcel_of("ord_1").state) == (2, "delivered")


def test_when_nobody_is_left_the_parcel_waits_rejected() -> None:
    ems = Courier("EMS")
    send("ord_1", "540100")
    made = cut("EMS")
    ems.receipt(made.number, reject(ems.lines(made.number)[0]))
    assert (parcel_of("ord_1").state, parcel_of("ord_1").live_order_id) == ("rejected", None)
    assert send("ord_1", "540100", attempt=2).state == "created"


def test_an_accepted_tombstone_brings_home_what_was_never_handed_over(sf: Courier) -> None:
    for order in ("ord_house", "ord_road"):
        send(order)
    cut()
    sf.scan(scan_of("ord_road", "handed_over"))
    with writing() as session:
        for order in ("ord_house", "ord_road"):
            assert parcels.cancel(session, order) is False
    made = cut()
    sf.receipt(made.number, *[accept(line, "") for line in sf.lines(made.number)])
    assert [parcel_of(o).state for o in ("ord_house", "ord_road")] == ["returned_to_warehouse", "handed_over"]
    with writing() as session:
        news = [(one.order_id, one.status) for one in scans.take_news(session)]
    assert news == [("ord_road", "handed_over"), ("ord_house", "returned_to_warehouse")]


def test_a_recalled_parcel_whose_line_is_rejected_comes_home_and_goes_nowhere_else(sf: Courier) -> None:
    send("ord_1")
    made = cut()
    with writing() as session:
        assert parcels.cancel(session, "ord_1") is False
    sf.receipt(made.number, reject(sf.lines(made.number)[0]))
    assert (parcel_of("ord_1").state, parcel_of("ord_1").attempt) == ("returned_to_warehouse", 1)


def test_the_last_two_lines_answered_at_once_acknowledge_the_manifest(sf: Courier) -> None:
    for round_ in range(5):
        for n in range(2):
            send(f"ord_{round_}_{n}")
        number = cut().number
        lines = sf.lines(number)

        def answer(n: int, round_: int = round_, number: str = number, lines: list[Any] = lines) -> str:
            state: str = sf.receipt(number, accept(lines[n], f"SF{round_}{n}"))["state"]
            return state

        assert sorted(together(answer, 2)) == ["acknowledged", "pulled"]


@pytest.mark.parametrize("number", ["SF-1", "%00", "x" * 500, "号"])
def test_a_number_that_is_none_is_not_found(sf: Courier, number: str) -> None:
    assert sf.http.get(f"manifests/{number}").status_code == 404


def test_the_description_names_every_endpoint_and_field() -> None:
    made = describe(
        "t", "1", {"/partner/v1": partner_api.routes},
        {"unauthorized": 401, "forbidden": 403, "invalid": 422, "not_found": 404, "receipt_conflict": 409},
    )  # fmt: skip
    assert sorted(made["paths"]) == [
        "/partner/v1/manifests",
        "/partner/v1/manifests/{no}",
        "/partner/v1/manifests/{no}/receipt",
        "/partner/v1/scans",
        "/partner/v1/token",
    ]
    token = made["paths"]["/partner/v1/token"]["post"]["requestBody"]["content"]
    assert list(token) == ["application/x-www-form-urlencoded"]
    assert "409" in made["paths"]["/partner/v1/manifests/{no}/receipt"]["post"]["responses"]
