"""Services that answer nonsense: no verdict comes of it, and no message is taken for sent."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import kyc.jobs
from kyc import identity, sms
from runtime import outbox
from runtime.settings import settings

LI = ("李雷", "110100199001010019")


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, tuple[int, bytes]]]:
    """A real HTTP server that answers every POST with what the test puts under "answer"."""
    says = {"answer": (200, b"")}

    class Odd(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, body = says["answer"]
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    for variable in ("HAOKA_IDENTITY_URL", "HAOKA_SMS_URL"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{server.server_port}")
    settings.cache_clear()
    yield says
    server.shutdown()
    thread.join()
    server.server_close()
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"{}"),
        (200, b"null"),
        (200, b'{"outcome": "yes"}'),
        (200, b'{"outcome": true}'),
        (200, b"<html>matched</html>"),
        (201, b'{"outcome": "matched"}'),
        (302, b'{"outcome": "matched"}'),
        (400, b'{"outcome": "matched"}'),
        (500, b'{"outcome": "matched"}'),
    ],
)
def test_nothing_but_a_known_outcome_is_a_verdict(
    odd: dict[str, tuple[int, bytes]], status: int, body: bytes
) -> None:
    odd["answer"] = (status, body)
    with pytest.raises(identity.IdentityError):
        identity.ask("case_1", *LI)
    odd["answer"] = (200, b'{"outcome": "matched", "more": 1}')
    assert identity.ask("case_1", *LI) == "matched"


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_a_message_not_taken_is_tried_again(odd: dict[str, tuple[int, bytes]], status: int) -> None:
    odd["answer"] = (status, b"")
    with pytest.raises(sms.GatewayError, match=str(status)):
        sms._hand_over("sms_1", "18612345678", "text")


def test_unset_addresses_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HAOKA_SMS_URL", "HAOKA_SANDBOX_URL"):
        monkeypatch.delenv(variable, raising=False)
    settings.cache_clear()
    with pytest.raises(sms.GatewayError, match="HAOKA_SMS_URL"):
        sms._hand_over("sms_1", "18612345678", "text")


def test_a_worker_that_imports_the_jobs_knows_them() -> None:
    assert kyc.jobs.__all__ == ["send", "verify"]
    assert {job: queue for job, queue in outbox.jobs().items() if job in ("kyc.verify", "sms.send")} == {
        "kyc.verify": "checks",
        "sms.send": "notices",
    }
