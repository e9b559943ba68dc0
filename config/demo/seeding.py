"""Give an empty database a small company with two months of history (UX §1a).

All of it is one transaction: interrupted, nothing is left behind. The history is written by the
operations that write it in production, with the ledger's clock standing where each happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.models import Group
from django.db import transaction

from config.demo import dataset
from config.demo.clock import SeededClock, seeded_clock
from credits import companies, grants, rating, zones
from credits.models import Company, Membership, Role, Source, User
from credits.roles import VENDOR_STAFF_GROUP
from trackers import backfills, ingestion, publishing, scanning
from trackers.importers.records import ConversationRecord
from trackers.models import Team, TeamMember, Tracker, TrackerVersion

PASSWORD = "tallystick-demo"
HISTORY = timedelta(days=62)
PUBLISHED_AGO = timedelta(days=45)  # At midnight, so that no conversation straddles it.
SCAN_TAKES = timedelta(seconds=5)
ARRIVES_AFTER = timedelta(minutes=20)  # From the end of a conversation to its import.


@dataclass(frozen=True, slots=True)
class Logins:
    """Who can sign in; the link the demo prints is for the tech admin."""

    vendor: User
    tech_admin: User
    business_admin: User
    viewer: User


def seed(*, now: datetime, on_progress: Callable[[int, int], object]) -> Company:
    """Make the company, its people and its history up to now; return it."""
    facts = dataset.people()
    zone = ZoneInfo(facts["company"]["zone"])
    today = now.astimezone(zone).date()
    records = dataset.conversations(today=today, zone=zone, now=now)
    first_of_today = zones.start_of_day(today, zone)
    history = [record for record in records if record.started_at < first_of_today]
    fresh = [record for record in records if record.started_at >= first_of_today]
    with transaction.atomic():
        with seeded_clock(zones.start_of_day(today - HISTORY, zone)) as clock:
            company = companies.open_company(
                name=facts["company"]["name"],
                slug=facts["company"]["slug"],
                time_zone=facts["company"]["zone"],
                is_demo=True,
            )
            logins = _people(company, facts)
            _fill(company, logins.vendor, clock, now)
            _live_through(company, logins, history, clock, now, on_progress, len(records))
        # What was said today arrives now: the demo's own workers scan it in front of the visitor.
        _ingest(company, fresh, now)
        on_progress(len(records), len(records))
    return company


def logins(company: Company) -> Logins:
    """Find the demo's people again, at any later start."""
    emails = {login["role"]: login["email"] for login in dataset.people()["logins"]}
    found = {
        user.email: user for user in User.objects.filter(email__in=emails.values(), is_active=True)
    }
    return Logins(
        vendor=found[emails["vendor_staff"]],
        tech_admin=found[emails["tech_admin"]],
        business_admin=found[emails["business_admin"]],
        viewer=found[emails["viewer"]],
    )


def _people(company: Company, facts: dict[str, Any]) -> Logins:
    roles = {
        "tech_admin": Role.TECH_ADMIN,
        "business_admin": Role.BUSINESS_ADMIN,
        "viewer": Role.VIEWER,
    }
    for login in facts["logins"]:
        user = User.objects.create_user(login["email"], PASSWORD, name=login["name"])
        if role := roles.get(login["role"]):
            Membership.objects.create(user=user, company=company, role=role)
        else:
            user.groups.add(Group.objects.get(name=VENDOR_STAFF_GROUP))
    teams = {name: Team.objects.create(company=company, name=name) for name in facts["teams"]}
    for member in facts["members"]:
        TeamMember.objects.create(
            company=company,
            email=member["email"],
            name=member["name"],
            team=teams[member["team"]],
        )
    return logins(company)


def _fill(company: Company, vendor: User, clock: SeededClock, now: datetime) -> None:
    """Grant what a pilot gets: introductory credits, goodwill, and more to come."""
    zone = ZoneInfo(company.time_zone)
    today = now.astimezone(zone).date()
    start = clock()
    grants.issue(
        company=company,
        source=Source.INTRODUCTORY,
        amount=Decimal(80),
        by=vendor,
        expires_at=start + timedelta(days=90),
        reason="Pilot of two trackers",
    )
    grants.issue(
        company=company,
        source=Source.ADJUSTMENT,
        amount=Decimal("2.5"),
        by=vendor,
        effective_at=start + timedelta(days=3),
        expires_at=start + timedelta(days=33),
        reason="Goodwill for the late start",
    )
    grants.issue(
        company=company,
        source=Source.ADJUSTMENT,
        amount=Decimal(40),
        by=vendor,
        effective_at=zones.start_of_day(today + timedelta(days=10), zone),
        reason="Second phase of the pilot",
    )


def _live_through(
    company: Company,
    people: Logins,
    history: list[ConversationRecord],
    clock: SeededClock,
    now: datetime,
    on_progress: Callable[[int, int], object],
    total: int,
) -> None:
    """Take the history in as it happened; one tracker is published on the way."""
    zone = ZoneInfo(company.time_zone)
    published_at = zones.start_of_day(now.astimezone(zone).date() - PUBLISHED_AGO, zone)
    tracker = None
    drafts = [_draft(company, content) for content in dataset.trackers()]
    for count, record in enumerate(history, start=1):
        arrives_at = min(
            record.started_at + timedelta(seconds=record.duration_seconds) + ARRIVES_AFTER, now
        )
        if tracker is None and arrives_at > published_at:
            clock.set(published_at)
            tracker = _publish_with_history(drafts[0], people.tech_admin, clock, now)
        clock.set(max(arrives_at, clock()))
        _ingest(company, [record], clock())
        if tracker is not None:
            _work_off(tracker, None, clock, now)
        on_progress(count, total)
    clock.set(now)


def _draft(company: Company, content: dict[str, Any]) -> Tracker:
    tracker = Tracker.objects.create(
        company=company,
        name=content["name"],
        description=content["description"],
        include_calls="call" in content["kinds"],
        include_emails="email" in content["kinds"],
        examples=content["example_phrases"],
        counter_examples=content["counter_examples"],
    )
    TrackerVersion.objects.create(
        company=company,
        tracker=tracker,
        number=1,
        question=content["question"],
        side=content["side"],
    )
    return tracker


def _publish_with_history(draft: Tracker, by: User, clock: SeededClock, now: datetime) -> Tracker:
    tracker = publishing.publish(
        tracker_id=draft.pk, edit_number=draft.edit_number, by=by, now=clock()
    )
    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=clock() - HISTORY,
        to_at=clock(),
        ceiling=None,
        rates=rating.rates_at(clock()),
        by=by,
        now=clock(),
    )
    _work_off(tracker, backfill.pk, clock, now)
    return tracker


def _work_off(
    tracker: Tracker, backfill_id: UUID | None, clock: SeededClock, now: datetime
) -> None:
    """Scan what is due here and now, none of it later than ``now``; no worker runs yet."""
    version_id = tracker.version_in_force.pk
    while scanning.run_batch(version_id=version_id, backfill_id=backfill_id, clock=clock):
        clock.set(min(clock() + SCAN_TAKES, now))


def _ingest(company: Company, records: list[ConversationRecord], now: datetime) -> None:
    for _ in ingestion.ingest(company=company, records=records, now=now):
        pass
