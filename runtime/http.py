"""Calls to outside services: one client form with a deadline, no redirects, no proxies from the environment."""

from collections.abc import Mapping

import httpx2


def client(base_url: str, *, timeout: float = 5.0, headers: Mapping[str, str] | None = None) -> httpx2.Client:
    """A client for one service. `timeout` in seconds holds for connecting and for each read."""
    return httpx2.Client(
        base_url=base_url,
        timeout=timeout,
        headers=dict(headers or {}),
        trust_env=False,
        follow_redirects=False,
    )
