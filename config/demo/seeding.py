"""Give an empty database two companies with a history (UX §1a).

All of it is one transaction: interrupted, nothing is left behind. The history is written by the
operations that write it in production, with the ledger's clock standing where each happened, and
what people decide leaves its line in the audit trail, with the demo as where it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction

from config.demo import briefing, dataset, funding, history, rhythm
from config.demo.clock import SeededClock, seeded_clock
from config.demo.dataset import Plan
from config.demo.funding import Funding
from config.demo.history import History
from credits import companies, origins, zones
from credits.models import Company, Membership, Role, User
from credits.roles import VENDOR_AUDITOR_GROUP, VENDOR_STAFF_GROUP
from trackers import advising, ingestion, wakes
from trackers.importers.records import ConversationRecord
from trackers.models import Team, TeamMember

PASSWORD = "tallystick-demo"
FIRST, SECOND = "northwind", "millbrook"

_ROLES = {
    "tech_admin": Role.TECH_ADMIN,
    "business_admin": Role.BUSINESS_ADMIN,
    "viewer": Role.VIEWER,
}
_GROUPS = {
    "vendor_staff": VENDOR_STAFF_GROUP,
    "second_vendor_staff": VENDOR_STAFF_GROUP,
    "vendor_auditor": VENDOR_AUDITOR_GROUP,
}


@dataclass(frozen=True, slots=True)
class Logins:
    """Who can sign in; the link the demo prints is for the tech admin."""

    vendor: User
    second_vendor: User
    auditor: User
    tech_admin: User
    business_admin: User
    viewer: User


class _Progress:
    """Counts conversations of both companies."""

    def __init__(self, total: int, on_progress: Callable[[int, int], object]) -> None:
        self.total, self.done = total, 0
        self.on_progress = on_progress

    def __call__(self, count: int) -> None:
        self.done += count
        self.on_progress(self.done, self.total)


def seed(
    *, now: datetime, on_progress: Callable[[int, int], object], plan: Plan | None = None
) -> Company:
    """Make both companies, their people and their history up to now; return the first.

    ``on_progress`` is told how many conversations of how many are done.
    """
    plan = plan or Plan()
    progress = _Progress(plan.count + dataset.SECOND_COUNT, on_progress)
    with transaction.atomic(), origins.coming_from(origins.of_command("demo")):
        with seeded_clock(now) as clock, wakes.withheld():
            company, fresh = _first_company(plan, clock, now, progress)
            _second_company(plan, clock, now, progress)
        # What was said on the last day arrives now: the demo's own workers scan it in front of
        # the visitor.
        for _ in ingestion.ingest(company=company, records=fresh, now=now):
            pass
        progress(len(fresh))
        # As the hourly job would have by now.
        advising.refresh(company=company, now=now)
    return company


def logins() -> Logins:
    """Find the demo's people, all of whom were just made."""
    found = logins_there()
    return Logins(
        vendor=found["vendor_staff"],
        second_vendor=found["second_vendor_staff"],
        auditor=found["vendor_auditor"],
        tech_admin=found["tech_admin"],
        business_admin=found["business_admin"],
        viewer=found["viewer"],
    )


def logins_there() -> dict[str, User]:
    """Find those of the demo's people who can sign in, by role, at any later start.

    Data of an earlier version may lack some, and visitors may have removed others.
    """
    emails = {login["role"]: login["email"] for login in dataset.facts(FIRST)["logins"]}
    users = {
        user.email: user for user in User.objects.filter(email__in=emails.values(), is_active=True)
    }
    return {role: users[email] for role, email in emails.items() if email in users}


def _first_company(
    plan: Plan, clock: SeededClock, now: datetime, progress: _Progress
) -> tuple[Company, list[ConversationRecord]]:
    """Let the first company live until the night before its last day; return it and that day's."""
    zone = ZoneInfo(dataset.facts(FIRST)["company"]["zone"])
    today = rhythm.last_day(now=now, zone=zone)
    starts = zones.start_of_day(today - timedelta(days=dataset.DAYS - 1), zone)
    clock.set(starts)
    company = _open(dataset.facts(FIRST))
    people = logins()
    records = dataset.conversations(plan=plan, today=today, zone=zone, now=now)
    midnight = zones.start_of_day(today, zone)
    past = [record for record in records if record.started_at < midnight]
    life = History(company=company, by=people.tech_admin, now=now, clock=clock, told=progress)
    funding.fund_first(
        Funding(life, vendor=people.vendor, admin=people.business_admin, today=today),
        days=dataset.DAYS,
    )
    contents = dataset.trackers()
    for content in contents:
        life.plan_tracker(content, records, starts)
    life.plan_conversations(past, history.cuts_of(contents, len(records)))
    life.live()
    briefing.brief(company=company, by=people.business_admin, now=clock.instant)
    return company, records[len(past) :]


def _second_company(plan: Plan, clock: SeededClock, now: datetime, progress: _Progress) -> None:
    """Let the second company live until its credits are used up and conversations wait."""
    facts = dataset.facts(SECOND)
    zone = ZoneInfo(facts["company"]["zone"])
    today = rhythm.last_day(now=now, zone=zone)
    starts = zones.start_of_day(today - timedelta(days=dataset.SECOND_DAYS - 1), zone)
    clock.set(starts)
    company = _open(facts)
    by = User.objects.get(email=facts["logins"][0]["email"])
    records = dataset.second_conversations(plan=plan, today=today, zone=zone, now=now)
    life = History(company=company, by=by, now=now, clock=clock, told=progress)
    funding.fund_second(
        Funding(life, vendor=logins().vendor, admin=by, today=today), days=dataset.SECOND_DAYS
    )
    content = dataset.trackers()[0] | {"teams": facts["teams"]}
    life.plan_tracker(content, records, starts)
    life.plan_conversations(records)
    life.live()


def _open(facts: dict[str, Any]) -> Company:
    """Open a company with its logins, teams and members."""
    company = companies.open_company(
        name=facts["company"]["name"],
        slug=facts["company"]["slug"],
        time_zone=facts["company"]["zone"],
        is_demo=True,
    )
    # One hash for all: they share the password, and each hash takes a third of a second.
    password = make_password(PASSWORD)
    for login in facts["logins"]:
        user = User.objects.create(email=login["email"], name=login["name"], password=password)
        if role := _ROLES.get(login["role"]):
            Membership.objects.create(user=user, company=company, role=role)
        else:
            user.groups.add(Group.objects.get(name=_GROUPS[login["role"]]))
    teams = {name: Team.objects.create(company=company, name=name) for name in facts["teams"]}
    TeamMember.objects.bulk_create(
        TeamMember(
            company=company,
            email=member["email"],
            name=member["name"],
            team=teams[member["team"]],
        )
        for member in [*facts["members"], *(one for one in facts["logins"] if "team" in one)]
    )
    return company
