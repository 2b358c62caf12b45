"""The description of the API is valid and complete."""

from openapi_spec_validator import validate
from starlette.testclient import TestClient

from storefront.app import create


def test_the_description_is_valid_openapi(db: None) -> None:
    described = TestClient(create()).get("/openapi.json").json()
    validate(described)
    assert described["openapi"] == "3.1.0"
    paths = set(described["paths"])
    assert {
        "/api/v1/codes",
        "/api/v1/sessions",
        "/api/v1/drops",
        "/api/v1/drops/{drop}/numbers",
        "/api/v1/drops/{drop}/holds",
        "/api/v1/holds/{hold}",
        "/api/v1/orders",
        "/api/v1/orders/{order}/signature",
        "/api/v1/orders/{order}/payment",
        "/partner/v1/token",
        "/partner/v1/manifests",
        "/partner/v1/manifests/{no}/receipt",
        "/partner/v1/scans",
    } <= paths


def test_every_operation_says_what_it_does_and_who_may(db: None) -> None:
    described = TestClient(create()).get("/openapi.json").json()
    open_to_all = set()
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert len(operation["responses"]) >= 1, path
            if "security" not in operation:
                open_to_all.add(path)
    assert open_to_all == {
        "/api/v1/codes",
        "/api/v1/sessions",
        "/api/v1/drops",
        "/api/v1/drops/{drop}",
        "/api/v1/drops/{drop}/numbers",
        "/api/v1/drops/{drop}/draw",
        "/api/v1/reservations/{campaign}",
        "/api/v1/reservations/{campaign}/draw",
        "/partner/v1/token",
    }


def test_facts_of_the_hold_are_described(db: None) -> None:
    described = TestClient(create()).get("/openapi.json").json()
    responses = described["paths"]["/api/v1/drops/{drop}/holds"]["post"]["responses"]
    assert set(responses) == {"201", "401", "403", "404", "409", "422", "425", "503"}
    assert "`taken`" in responses["409"]["description"]
