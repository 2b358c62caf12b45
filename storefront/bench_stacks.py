"""How long one search of the shelf takes at the function, for every filter alone and mixed, by number of numbers."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from inventory import stacks_demo
from inventory.stacks import Stack, seed_of

_CALLS = 200  # of each query, every one by another shopper


def measured(count: int) -> dict[str, Any]:
    """Milliseconds of a search among `count` made-up numbers of which every other one is free, in no order.

    `p50_ms` and `p99_ms` are those of the query with the worst p99, named in `worst`; `queries` has all of them, with
    `cpu_p99_ms` of each: what is left of its p99 without the time other processes had the core."""
    began = time.perf_counter()
    stack = stacks_demo.made_up(count)
    built = time.perf_counter() - began
    stack.free &= np.random.default_rng(1).integers(0, 2**64, size=len(stack.free), dtype=np.uint64)
    queries = {name: _timed(_search(stack, asked)) for name, asked in stacks_demo.QUERIES.items()}
    number = str(stack.groups.numbers[len(stack.groups.numbers) // 2])
    queries["like another"] = _timed(lambda who: stack.similar(number, 12, seed_of(who)))
    worst = max(queries, key=lambda name: queries[name]["p99_ms"])
    return {
        **queries[worst], "worst": worst, "queries": queries,
        "most_cpu_p99_ms": max(one["cpu_p99_ms"] for one in queries.values()),
        "bytes_a_number": stack.nbytes / count, "built_seconds": built,
    }  # fmt: skip


def _search(stack: Stack, asked: dict[str, Any]) -> Callable[[str], object]:
    return lambda who: stacks_demo.query(stack, asked, who)


def _timed(once: Callable[[str], object]) -> dict[str, float]:
    wall, cpu = [], []
    for nth in range(_CALLS):
        used, began = time.thread_time(), time.perf_counter()
        once(f"shopper {nth}")
        wall.append((time.perf_counter() - began) * 1000)
        cpu.append((time.thread_time() - used) * 1000)
    wall.sort()
    cpu.sort()
    last = _CALLS * 99 // 100
    return {"p50_ms": wall[_CALLS // 2], "p99_ms": wall[last], "cpu_p99_ms": cpu[last]}
