"""Templates write whole numbers as people read them: 4,119, never 4119."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What a page may have thousands of, by the last name of a variable.
COUNTS = re.compile(
    r"(?:^|_|\.)(count|calls|emails|found|unsure|not_found|finished|left|left_out|num_pages|seats"
    r"|right|wrong)$"
)
# A value for machines stands in quotes; what people read does not.
PRINTED = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
ATTRIBUTE = re.compile(r"=\"[^\"]*\"")
# They come from the view with their separators, or are bounded far below a thousand.
SAID = {
    "calls": "ask.html's bounds",
    "chart.left": "a place on a chart",
    "conversation_count": "set by the view",
    "form.count": "a field of a form",
    "history_count": "set by the view",
    "left": "set by the view",
    "learned.counter_example_count": "at most 50",
    "learned.example_count": "at most 50",
    "report.time_left": "in words",
    "row_count": "set by the view",
    "steps.count": "five",
    "one.left": "an API key's, in words",
    "taken_over_count": "set by the view",
}


def printed(text: str) -> list[str]:
    """Return the counts that a template writes as they are."""
    names = PRINTED.findall(ATTRIBUTE.sub("", text))
    return [name for name in names if COUNTS.search(name) and name not in SAID]


def test_templates_write_no_count_without_its_separators():
    found = {
        str(path.relative_to(ROOT)): raw
        for path in ROOT.glob("*/templates/**/*.html")
        if (raw := printed(path.read_text()))
    }

    assert found == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<td>{{ queue.calls }}</td>", ["queue.calls"]),
        ("{{ timeline.left_out }} older", ["timeline.left_out"]),
        ('<td data-value="{{ queue.calls }}">{{ queue.calls|whole }}</td>', []),
        ("{{ queue.name }}", []),
    ],
)
def test_what_counts_as_written_raw(text, expected):
    assert printed(text) == expected


def test_the_templates_are_where_they_are_looked_for():
    assert len(list(Path(ROOT).glob("*/templates/**/*.html"))) > 80
