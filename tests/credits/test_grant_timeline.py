"""Grants drawn over the time they can be spent in: literal places, for literal grants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from credits import grant_timeline
from credits.models import Company, CreditGrant
from credits.overview import HeldGrant, state_of

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACME = Company(name="Acme", time_zone="UTC")


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def held(source: str, first: str, end: str | None, amount: str, left: str | None) -> HeldGrant:
    """Return a grant as the ledger would have it; ``left`` is None for one that has not begun."""
    grant = CreditGrant(
        source=source,
        amount=Decimal(amount),
        remaining=Decimal(left or 0),
        effective_at=at(first),
        expires_at=at(end) if end else None,
        granted_at=at(first) if left is not None else None,
    )
    return HeldGrant(grant, state_of(grant))


MARCH = held("ALLOCATION", "2026-03-01", "2026-04-01", "2000", "500")
TO_COME = held("PURCHASE", "2026-04-10", None, "300", None)
USED_UP = held("ADJUSTMENT", "2026-02-25", "2026-03-10", "40", "0")


def draw(*grants: HeldGrant) -> grant_timeline.Timeline:
    return grant_timeline.draw(company=ACME, grants=grants, instant=NOW)


def test_bars_lie_where_their_days_do_and_are_filled_by_what_is_left():
    # From 22 February to 17 April: 54 days on a width of 616.
    drawn = draw(TO_COME, MARCH)

    assert [(bar.label, bar.x, bar.width, bar.filled) for bar in drawn.bars] == [
        ("Seat allocation", "255.85", "353.63", "88.41"),
        ("Purchase", "712.15", "79.85", "79.85"),
    ]
    assert [bar.figures for bar in drawn.bars] == ["500.0 of 2,000.0", "300.0 of 300.0"]
    assert [bar.ends_after for bar in drawn.bars] == [False, True]
    assert [bar.is_scheduled for bar in drawn.bars] == [False, True]
    assert drawn.today.at == "272.96"
    assert [(month.text, month.at) for month in drawn.months] == [
        ("Mar 2026", "255.85"),
        ("Apr", "609.48"),
    ]


def test_a_bar_says_in_words_all_that_it_shows():
    words = [bar.words for bar in draw(MARCH, TO_COME, USED_UP).bars]

    assert words == [
        "Adjustment, used up: 25 Feb 2026 – 9 Mar 2026, 0.0 of 40.0 left",
        "Seat allocation, active: 1 Mar 2026 – 31 Mar 2026, 500.0 of 2,000.0 left",
        "Purchase, scheduled: 10 Apr 2026 – no end, 300.0 of 300.0 left",
    ]


def test_what_is_over_is_named_so_beside_its_bar():
    (bar,) = draw(USED_UP).bars

    assert (bar.label, bar.is_over, bar.filled) == ("Adjustment, used up", True, "0")


def test_a_grant_of_minutes_still_has_a_bar_within_the_drawing():
    long = held("PURCHASE", "2020-01-01", "2036-01-01", "10", "10")
    end = at("2026-03-02").replace(hour=12) + timedelta(minutes=1)
    short = HeldGrant(
        CreditGrant(
            source="ADJUSTMENT",
            amount=Decimal(1),
            remaining=Decimal(1),
            effective_at=NOW,
            expires_at=end,
            granted_at=NOW,
        ),
        MARCH.state,
    )

    first, second = draw(long, short).bars

    assert (first.x, first.width, first.ends_after) == ("176", "616", True)
    assert second.width == "3"


def test_of_many_grants_the_newest_that_are_over_are_drawn_beside_all_that_are_not():
    over = [held("ADJUSTMENT", f"2025-{month:02}-01", None, "1", "0") for month in range(1, 13)]
    live = [held("PURCHASE", f"2025-06-{day:02}", None, "5", "5") for day in range(1, 11)]

    drawn = draw(*over, *live)

    assert (len(drawn.bars), drawn.left_out) == (18, 4)
    names = [one.grant.effective_at.month for one in drawn.rows if one.grant.source == "ADJUSTMENT"]
    assert names == [5, 6, 7, 8, 9, 10, 11, 12]


def test_the_caption_is_one_sentence_about_what_matters():
    said = [
        grant_timeline.caption(company=ACME, grants=grants)
        for grants in (
            [MARCH, TO_COME],
            [USED_UP],
            [held("PURCHASE", "2026-01-01", None, "5", "5")],
        )
    ]

    assert said == [
        (
            "500.0 credits are left on 1 grant; the next to end has 500.0 and ends after "
            "31 Mar 2026; 300.0 more start from 10 Apr 2026 on."
        ),
        "Nothing is left on any grant.",
        "5.0 credits are left on 1 grant; none of them ends.",
    ]
    assert grant_timeline.caption(company=ACME, grants=[]) == "No credits were granted yet."
