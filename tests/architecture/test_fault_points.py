"""Fault points stand in the product where they are named, and nothing there listens to them."""

from __future__ import annotations

import re
from collections import Counter

from config.embedded_postgres import PROJECT
from credits import faults
from credits.faults import Point

PRODUCT = [
    path
    for app in ("config", "credits", "trackers", "billing")
    for path in (PROJECT / app).rglob("*.py")
]


def test_every_point_is_reached_in_exactly_one_place():
    reached = Counter(
        name
        for path in PRODUCT
        for name in re.findall(r"reach\(faults\.Point\.(\w+)", path.read_text())
    )

    assert reached == Counter(point.name for point in Point)


def test_no_product_code_listens_to_a_point():
    listening = re.compile(r"faults\.watch|import watch")
    found = [
        str(path.relative_to(PROJECT))
        for path in PRODUCT
        if re.search(r"\bfaults\b", path.read_text())
    ]

    assert len(found) > 5
    assert [path for path in found if listening.search((PROJECT / path).read_text())] == []


def test_a_point_does_nothing_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("FAULT_POINT", Point.CLAIMED)

    faults.reach(Point.CLAIMED)

    assert faults._watcher is None
