"""The supervisor: what it starts stands as far back as it was told to."""

from pathlib import Path

import psutil

from runtime import supervisor


def test_a_process_stands_back_as_far_as_it_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    shop = supervisor.Supervisor(tmp_path, said.append)
    try:
        first, later = shop.add("web", ["sleep", "60"]), shop.add("papers", ["sleep", "60"], nice=10)
        assert first.running
        assert later.running
        own = psutil.Process().nice()
        niceness = [psutil.Process(child.running.pid).nice() for child in (first, later) if child.running]
        assert niceness == [own, own + 10]
    finally:
        shop.stop()
    assert said == []
