"""How figures, instants and states look on every page."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from config.embedded_postgres import PROJECT
from credits import shown
from credits.models import Company


def company(zone: str) -> Company:
    return Company(name="Acme", slug="acme", time_zone=zone)


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "24 Nov 2026 13:19 CET"),
        ("America/Sao_Paulo", "24 Nov 2026 09:19 UTC-03"),
        ("UTC", "24 Nov 2026 12:19 UTC"),
    ],
)
def test_an_instant_is_shown_in_the_company_s_zone_and_exactly_in_its_title(zone, words):
    at = datetime(2026, 11, 24, 12, 19, 5, tzinfo=UTC)

    assert shown.instant(at, company(zone)) == (
        f'<time datetime="2026-11-24T12:19:05+00:00" title="2026-11-24 12:19:05 UTC">{words}</time>'
    )


def test_a_grant_s_last_day_is_the_one_before_its_exclusive_end():
    midnight_in_berlin = datetime(2026, 11, 30, 23, tzinfo=UTC)

    assert ">30 Nov 2026<" in shown.last_day(midnight_in_berlin, company("Europe/Berlin"))
    assert shown.last_day(None, company("Europe/Berlin")) == "no end"


@pytest.mark.parametrize(
    ("value", "is_signed", "raw", "words"),
    [
        ("1234.500", False, "1234.5", "1,234.5"),
        ("-2.100", False, "-2.1", "−2.1"),
        ("-2.100", True, "-2.1", "−2.1"),
        ("2.100", True, "2.1", "+2.1"),
        ("0.000", True, "0.0", "0.0"),
    ],
)
def test_an_amount_is_exact_and_carries_its_raw_value(value, is_signed, raw, words):
    assert shown.amount(Decimal(value), metric="left", is_signed=is_signed) == (
        f'<span class="credits-amount" data-metric="left" data-value="{raw}">{words}</span>'
    )


def test_a_state_is_named_by_its_code_or_by_its_label():
    assert shown.status("Used up") == (
        '<span class="credits-badge credits-badge-quiet" data-status="used-up">Used up</span>'
    )
    assert shown.status("Found", code="YES", tone=shown.GOOD) == (
        '<span class="credits-badge credits-badge-good" data-status="YES">Found</span>'
    )


def test_what_a_person_typed_is_escaped():
    assert shown.status("<b>") == (
        '<span class="credits-badge credits-badge-quiet" data-status="b">&lt;b&gt;</span>'
    )


def test_no_page_writes_dates_in_a_way_of_its_own():
    pages = [
        path
        for app in ("credits", "trackers")
        for folder in ("admin", "templatetags")
        for path in (PROJECT / app / folder).rglob("*.py")
    ]

    assert len(pages) > 20
    assert [path.name for path in pages if "%b %Y" in path.read_text()] == []
