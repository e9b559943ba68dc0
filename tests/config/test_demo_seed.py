"""The demo's history: the same amounts whenever it is seeded, none of it in the future."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.db.models import Count, Max, Sum

from billing.models import Allocation, Purchase
from config.demo import dataset, history, phrases, seeding, storytelling
from config.demo.clock import seeded_clock
from config.demo.dataset import Plan
from config.demo.history import History
from credits import balances, reconciliation
from credits.models import AuditEvent, Company, CreditGrant, LedgerEntry, UsageEvent
from tests.support import people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, scanning
from trackers.models import BriefResult, BriefRun, Conversation, Scan, Tracker

BERLIN = ZoneInfo("Europe/Berlin")
SMALL = Plan(count=100)
USED = {
    "Pricing objection": Decimal("41.8"),
    "Competitor mentioned": Decimal("26.0"),
    "Renewal at risk": Decimal("7.6"),
    "Integration worries": Decimal("18.1"),
    "Downtime complaint": Decimal("4.9"),
    "Fair contacts": Decimal("7.2"),
    "Jobs and works council": Decimal("4.0"),
    "Rivals by name": Decimal("0.0"),
    "Contract and signature": Decimal("0.0"),
}
USED_CALLS = 213  # 55 of them by the keyword trackers, for nothing.
USED_CALLS_BACKFILLED = 3
WAITING = {"count": 20, "credits": Decimal("8.200")}
MOMENTS = {
    "a working day": "2026-11-24 11:00",
    "a Sunday": "2026-11-22 11:00",
    "the 29th of February": "2028-02-29 15:30",
    "the hour that summer time skips": "2026-03-29 03:00",
    "a second after midnight": "2026-06-15 00:00:01",
}


@pytest.fixture(autouse=True)
def _quick_analyzer(monkeypatch):
    """What a conversation costs does not depend on what is found in it."""
    analyzer = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: analyzer)


def at(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=BERLIN)


def seed(now: datetime, plan: Plan = SMALL) -> Company:
    """Seed, and scan what was said today as the demo's workers would."""
    told = []
    company = seeding.seed(
        now=now, on_progress=lambda count, total: told.append((count, total)), plan=plan
    )
    assert told[-1] == (plan.count + dataset.SECOND_COUNT,) * 2
    with seeded_clock(now) as clock:
        for version_id in Tracker.objects.filter(company=company, state="PUBLISHED").values_list(
            "current_version", flat=True
        ):
            while scanning.run_batch(version_id=version_id, backfill_id=None, clock=clock):
                pass
        balances.now(company=company)
    return company


@pytest.mark.django_db
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_same_is_used_at_any_time_and_nothing_lies_ahead(moment):
    now = at(MOMENTS[moment])

    company = seed(now)

    # Briefs were run by hand, for nothing.
    by_hand = UsageEvent.objects.filter(company=company, action="MANUAL")
    assert [(one.feature_name, one.amount) for one in by_hand.order_by("feature_name")] == [
        ("Account review", 0),
        *[("Deal handover", 0)] * 2,
    ]
    runs = BriefRun.objects.filter(company=company, is_finished=True)
    assert [run.calls + run.emails > 0 for run in runs] == [True, True]
    assert not BriefResult.objects.filter(company=company, state__in=["PENDING", "FAILED"]).exists()
    usage = UsageEvent.objects.filter(company=company).exclude(action="MANUAL")
    assert dict(usage.values_list("feature_name").annotate(Sum("amount"))) == USED
    assert dict(usage.values_list("action").annotate(Sum("calls"))) == {
        "BACKFILL": USED_CALLS_BACKFILLED,
        "CONTINUOUS": USED_CALLS,
    }
    assert not Scan.objects.filter(company=company).exclude(state__in=["DONE", "SKIPPED"]).exists()
    assert reconciliation.check() == []
    nothing_is_dated_after(now)


def nothing_is_dated_after(now: datetime) -> None:
    ends = [
        started_at + timedelta(seconds=seconds)
        for started_at, seconds in Conversation.objects.values_list(
            "started_at", "duration_seconds"
        )
    ]
    assert max(ends) < now
    assert timedelta(days=110) < now - min(ends) < timedelta(days=121)
    assert LedgerEntry.objects.aggregate(Max("recorded_at"))["recorded_at__max"] <= now


def test_what_is_used_is_the_hand_count_of_the_conversations():
    """From the conversations and the trackers' file alone, with the card's figures."""
    records = dataset.conversations(
        plan=SMALL, today=at("2026-11-24 11:00").date(), zone=BERLIN, now=at("2026-11-24 11:00")
    )

    used = _by_hand(records)

    assert used.pop("Reference visit wanted") == Decimal("30.0")
    assert used == USED


def test_some_are_met_of_whom_there_is_no_account_and_a_login_listens_in_calls():
    now = at("2026-11-24 11:00")
    first = dataset.conversations(plan=Plan(), today=now.date(), zone=BERLIN, now=now)
    second = dataset.second_conversations(plan=Plan(), today=now.date(), zone=BERLIN, now=now)

    leads = [
        Counter(
            person.email
            for one in records
            if one.account is None
            for person in one.participants
            if person.role == "external"
        )
        for records in (first, second)
    ]
    with_bea = [
        one
        for one in first
        if any(person.email == "bea@northwind.example" for person in one.participants)
    ]

    assert [len(found) for found in leads] == [4, 2]
    known = {
        person.email
        for one in (*first, *second)
        if one.account is not None
        for person in one.participants
    }
    assert known.isdisjoint({*leads[0], *leads[1]})
    assert {one.team for one in with_bea} == {"DACH Sales"}
    assert len(with_bea) == 42


def test_the_whole_demo_uses_what_the_journeys_expect():
    now = at("2026-11-24 11:00")
    records = dataset.conversations(plan=Plan(), today=now.date(), zone=BERLIN, now=now)

    used = _by_hand(records)

    assert used.pop("Reference visit wanted") == Decimal("234.5")
    assert sum(used.values()) == Decimal("1001.0")


def _by_hand(records) -> dict[str, Decimal]:
    used = {}
    for content in json.loads((phrases.DATA / "trackers.json").read_text()):
        first = round(content.get("backfilled", content.get("published", 0)) * len(records))
        last = round(content.get("unpublished", 1) * len(records))
        read = [
            _price(record, content["side"])
            for record in records[first:last]
            if content.get("kind") != "KEYWORD"
            and record.kind in content["kinds"]
            and record.team in content.get("teams", [record.team])
        ]
        used[content["name"]] = sum(read, Decimal(0))
    return used


def _price(record, side: str) -> Decimal:
    roles = {"CUSTOMER": {"external"}, "ANY": {"external", "internal"}}[side]
    speaking = {one.id for one in record.participants if one.role in roles}
    said = "".join(turn.text for turn in record.utterances if turn.speaker in speaking)
    if not any(character.isalnum() for character in said):
        return Decimal(0)
    if record.kind == "email":
        return Decimal("0.1")
    return Decimal("1.0") if record.duration_seconds > 600 else Decimal("0.5")


def told(company: Company) -> list:
    """Return all figures of a company's ledger and usage, without ids."""
    entries = LedgerEntry.objects.filter(company=company).order_by("sequence")
    usage = UsageEvent.objects.filter(company=company).order_by(
        "after_sequence", "occurred_at", "feature_name", "calls", "emails"
    )
    grants = CreditGrant.objects.filter(company=company).order_by("effective_at", "amount")
    return [
        *entries.values_list("sequence", "kind", "amount", "balance_after", "occurred_at"),
        *usage.values_list("feature_name", "action", "calls", "emails", "amount"),
        *grants.values_list("source", "amount", "remaining", "effective_at", "expires_at"),
        *Conversation.objects.filter(company=company)
        .order_by("external_id")
        .values_list("external_id", "title", "started_at", "owner__email", "text_digest"),
    ]


@pytest.mark.django_db
def test_the_same_seed_on_the_same_day_gives_the_same_figures():
    """Everything but ids, and with them the hashes: entries, usage, grants, conversations."""
    found = []
    for _ in range(2):
        with transaction.atomic():
            seed(at("2026-11-24 11:00"))
            found.append([told(one) for one in Company.objects.order_by("name")])
            transaction.set_rollback(True)

    once, again = found
    assert once == again
    assert [len(part) for part in once] == [128, 609]


def test_another_seed_tells_other_stories():
    def titles(number: int) -> list[str]:
        accounts = storytelling.accounts("northwind")
        stories = storytelling.tell(
            seed=number, count=50, facts=dataset.facts(), accounts=accounts, prefix="nw"
        )
        return [story["title"] for story in stories]

    assert titles(7) == titles(7)
    assert titles(7) != titles(42)


@pytest.mark.django_db
def test_one_company_shows_every_source_and_state_and_the_other_has_run_out():
    seed(at("2026-11-24 11:00"))

    northwind = Company.objects.get(slug="northwind")
    sources = CreditGrant.objects.filter(company=northwind).values_list("source", flat=True)
    states = Tracker.objects.filter(company=northwind).values_list("state")

    assert Counter(sources) == {
        "ALLOCATION": 3,
        "PURCHASE": 4,
        "ADJUSTMENT": 2,
        "INTRODUCTORY": 1,
    }
    assert dict(states.annotate(Count("pk"))) == {"PUBLISHED": 8, "UNPUBLISHED": 1, "DRAFT": 1}
    soon = CreditGrant.objects.get(company=northwind, is_open=True, source="ALLOCATION")
    assert soon.expires_at == at("2026-12-03 00:00")
    assert CreditGrant.objects.get(company=northwind, granted_at=None).effective_at == at(
        "2026-12-08 00:00"
    )
    assert list(
        Purchase.objects.order_by("number").values_list("state", "amount", "order_reference")
    ) == [
        ("FULFILLED", Decimal("600.000"), "NW-2107"),
        ("FULFILLED", Decimal("1500.000"), "NW-2188"),
        ("FULFILLED", Decimal("150.000"), "NW-2188"),
        ("FULFILLED", Decimal("1000.000"), "NW-2291"),
        ("REQUESTED", Decimal("400.000"), ""),
    ]
    assert Purchase.objects.get(voided_at__isnull=False).number == 2
    assert list(
        Allocation.objects.order_by("period_number").values_list("amount", "starts_on")
    ) == [
        (Decimal("576.000"), date(2026, 9, 3)),
        (Decimal("756.000"), date(2026, 10, 3)),
        (Decimal("852.000"), date(2026, 11, 3)),
    ]
    millbrook = Company.objects.get(slug="millbrook")
    waiting = Scan.objects.filter(company=millbrook, state="WAITING")
    assert balances.now(company=millbrook).remaining == Decimal("0.000")
    assert waiting.aggregate(count=Count("pk"), credits=Sum("price")) == WAITING


@pytest.mark.django_db
def test_what_the_demo_s_people_decide_is_in_the_trail_as_theirs():
    seed(at("2026-11-24 11:00"))

    northwind = Company.objects.get(slug="northwind")
    lines = AuditEvent.objects.filter(company=northwind).select_related("text")
    assert set(AuditEvent.objects.values_list("actor_kind", "door", "job")) == {
        ("PERSON", "COMMAND", "demo")
    }
    assert Counter(lines.values_list("text__actor_name", "action")) == {
        ("Vera Vendor", "GRANTED"): 1,
        ("Vera Vendor", "ADJUSTED"): 2,
        ("Vera Vendor", "REFUNDED"): 1,
        ("Vera Vendor", "REQUESTED"): 4,
        ("Vera Vendor", "APPROVED"): 4,
        ("Vera Vendor", "FULFILLED"): 4,
        ("Vera Vendor", "REVERSED"): 1,
        ("Vera Vendor", "ADDED"): 7,
        ("Bea Schulz", "REQUESTED"): 1,
        ("Bea Schulz", "ADDED"): 2,
        ("Bea Schulz", "PUBLISHED"): 2,
        ("Bea Schulz", "STARTED"): 2,
        ("Tomas Weber", "ADDED"): 10,
        ("Tomas Weber", "PUBLISHED"): 9,
        ("Tomas Weber", "UNPUBLISHED"): 1,
        ("Tomas Weber", "STARTED"): 1,
    }
    pilot = CreditGrant.objects.get(company=northwind, source="INTRODUCTORY")
    granted = lines.get(subject_id=str(pilot.pk))
    assert granted.occurred_at == pilot.created_at == at("2026-07-28 00:00")
    assert granted.text.changes == [
        {"field": "credits", "before": None, "after": "300.0"},
        {"field": "source", "before": None, "after": "Introductory"},
        {"field": "last_day", "before": None, "after": "2026-10-25"},
    ]
    late, thanks = lines.filter(action="ADJUSTED").order_by("occurred_at")
    changes = {change["field"]: (change["before"], change["after"]) for change in late.text.changes}
    assert late.text.reason == "Results of one weekend came late"
    assert changes["balance"] == ("1439.5", "1465.0")
    assert changes["credits"] == (None, "25.5")
    assert late.occurred_at == at("2026-09-30 10:40")
    assert thanks.text.changes[1] == {"field": "last", "before": None, "after": "2026-12-05"}


@pytest.mark.django_db
def test_a_tracker_published_between_two_calls_reads_all_from_the_second_on():
    """The batches before it take longer than the minute between the calls."""
    acme = people.company()
    alice = people.alice(acme)
    ten = at("2026-11-24 10:00")
    records = [
        record(f"call {minute}", team=f"Team {minute}", started_at=ten + timedelta(minutes=minute))
        for minute in range(8)
    ]
    asked = {
        "description": "",
        "question": "Did the customer object to the price?",
        "side": "CUSTOMER",
        "kinds": ["call"],
        "example_phrases": [],
        "counter_examples": [],
    }
    contents = [
        asked | {"name": "From the first", "published": 0.0},
        asked | {"name": "From the fifth", "published": 0.5},
    ]
    now = at("2026-11-24 18:00")
    with seeded_clock(ten - timedelta(hours=1)) as clock:
        people.credits_for(acme, "50")
        life = History(company=acme, by=alice, now=now, clock=clock, told=lambda count: None)
        for content in contents:
            life.plan_tracker(content, records, ten - timedelta(hours=1))
        life.plan_conversations(records, history.cuts_of(contents, len(records)))
        life.live()

    read = Scan.objects.filter(state="DONE").order_by("conversation_started_at")
    names = {
        content["name"]: list(
            read.filter(tracker__name=content["name"]).values_list(
                "conversation__external_id", flat=True
            )
        )
        for content in contents
    }
    assert names == {
        "From the first": [f"call {minute}" for minute in range(8)],
        "From the fifth": [f"call {minute}" for minute in range(4, 8)],
    }


def test_events_before_a_cut_meet_the_same_conversations():
    assert history.cuts_of([{"published": 0.0}, {"published": 0.5, "unpublished": 0.75}], 40) == [
        20,
        30,
    ]
