"""How long one search of the shelf takes at the function, for every filter alone and mixed, by number of numbers."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from inventory import stacks_demo
from inventory.stacks import Stack, seed_of

_CALLS = 500  # of each query, every one by another shopper; the queries by turns, so that a stall is not one's alone


Way = Callable[[str], object]  # of a shopper's name


def measured(count: int) -> dict[str, Any]:
    """Milliseconds of a search among `count` made-up numbers of which every other one is free, in no order.

    `p50_ms` and `p99_ms` are those of the query with the worst p99, named in `worst`; `queries` has all of them, with
    `cpu_p99_ms` of each: what is left of its p99 without the time other processes had the core."""
    began = time.perf_counter()
    stack = stacks_demo.made_up(count)
    built = time.perf_counter() - began
    stack.free &= np.random.default_rng(1).integers(0, 2**64, size=len(stack.free), dtype=np.uint64)
    ways = {name: _search(stack, asked) for name, asked in stacks_demo.QUERIES.items()}
    number = str(stack.groups.numbers[len(stack.groups.numbers) // 2])
    ways["like another"] = lambda who: stack.similar(number, 12, seed_of(who))
    queries = _timed(ways)
    worst = max(queries, key=lambda name: queries[name]["p99_ms"])
    return {
        **queries[worst], "worst": worst, "queries": queries,
        "most_cpu_p99_ms": max(one["cpu_p99_ms"] for one in queries.values()),
        "bytes_a_number": stack.nbytes / count, "built_seconds": built,
    }  # fmt: skip


def _search(stack: Stack, asked: dict[str, Any]) -> Way:
    return lambda who: stacks_demo.query(stack, asked, who)


def _timed(ways: dict[str, Way]) -> dict[str, dict[str, float]]:
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for nth in range(_CALLS):
        for name, once in ways.items():
            used, began = time.thread_time(), time.perf_counter()
            once(f"shopper {nth}")
            wall[name].append((time.perf_counter() - began) * 1000)
            cpu[name].append((time.thread_time() - used) * 1000)
    return {
        name: {"p50_ms": _at(50, wall[name]), "p99_ms": _at(99, wall[name]), "cpu_p99_ms": _at(99, cpu[name])}
        for name in ways
    }


def _at(percent: int, times: list[float]) -> float:
    return sorted(times)[len(times) * percent // 100]
