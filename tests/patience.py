"""A busy machine may stop a process for seconds: tests and their shops wait longer than a shop's own settings say."""

import pytest

PATIENT = {"HAOKA_REDIS_TIMEOUT_MS": "15000", "HAOKA_ANSWER_MS": "30000"}


def as_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that are about being refused in time; they clear the settings' cache."""
    for name in PATIENT:
        monkeypatch.delenv(name)
