"""Children of a real worker's pool, and the worker itself, killed with -9 while they read."""

from __future__ import annotations

from tests.faults import worker_kills


def test_killed_children_and_workers_lose_nothing_and_charge_nothing_twice(committed, tmp_path):
    seen = worker_kills.run(dsn=committed, kills=4, seed=1, file=tmp_path / "kills.jsonl")

    assert seen["killed"] == {"child": 3, "worker": 1}
    assert seen["scans"] == 4 * worker_kills.BATCH
    assert (seen["lost"], seen["double"], seen["done_uncharged"]) == (0, 0, 0)
    assert (seen["below_zero"], seen["audit"]) == (0, [])
    assert float(seen["off_by"]) == 0
