"""How long a person waits for what a tracker would cost, with a million conversations.

``python -m pytest -m benchmark tests/benchmarks/test_estimates.py -s`` prints each figure.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from config import databases as config_databases
from tests.support import conversations, databases, people
from trackers import estimates
from trackers.models import Team, TeamMember, TrackerFilter

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("BENCHMARK_ROWS", "1000000"))
DAYS = 365
ROUNDS = 5
SECONDS_MAX = 1.0
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}

# Evenly over a year: nine calls in ten conversations, a tenth of them without the customer's
# words; ten teams, five types of account, four stages of deals.
_CONVERSATIONS = """
    INSERT INTO trackers_conversation (id, company_id, external_id, source, kind, title, started_at,
        duration_seconds, team_id, account_type, deal_stage, arrived_at, text_revision,
        text_digest, metadata_digest, company_text_count, non_company_text_count, language)
    SELECT uuidv7(), %(company)s, 'c' || n, '', CASE WHEN n %% 10 = 0 THEN 'EMAIL' ELSE 'CALL' END,
        '', at, n %% 1200, (%(teams)s::uuid[])[1 + n %% 10], 'Type ' || n %% 5,
        'Stage ' || n %% 4, at, 1, '\\x00', '\\x00', 5, least(n %% 11, 4), ''
    FROM generate_series(1, %(rows)s) AS n,
        LATERAL (SELECT now() - n * make_interval(days => %(days)s) / %(rows)s AS at) AS span
"""
_OWNERS = """
    INSERT INTO trackers_participant (company_id, conversation_id, external_id, name, email,
        affiliation, team_member_id)
    SELECT company_id, id, 'r', '', '', 'COMPANY', %(member)s
    FROM trackers_conversation WHERE company_id = %(company)s AND external_id LIKE '%%7'
"""


@pytest.fixture
def company(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), databases.own_server(DURABLE) as server:
        dsn = databases.address(server)
        with (
            config_databases.pointed_at(dsn),
            config_databases.scratch(dsn, "benchmark") as scratch,
            config_databases.pointed_at(scratch),
        ):
            yield _company()


def _company():
    company = people.company()
    teams = [Team.objects.create(company=company, name=f"Team {n}") for n in range(10)]
    member = TeamMember.objects.create(company=company, name="Ana", email="ana@acme.example")
    with connection.cursor() as cursor:
        # Neither the guards nor the keys of every row.
        cursor.execute("SET session_replication_role = replica")
        parameters = {"company": company.pk, "rows": ROWS, "days": DAYS, "member": member.pk}
        cursor.execute(_CONVERSATIONS, {**parameters, "teams": [team.pk for team in teams]})
        cursor.execute(_OWNERS, parameters)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
    return company


def tracker_of(company, name, *filters):
    tracker = conversations.tracker(company, name, include_emails=True)
    TrackerFilter.objects.bulk_create(
        TrackerFilter(company=company, tracker=tracker, **one) for one in filters
    )
    return tracker


def test_an_estimate_takes_less_than_a_second_of_a_million_conversations(company):
    team = Team.objects.get(company=company, name="Team 3")
    member = TeamMember.objects.get(company=company)
    trackers = {
        "all": tracker_of(company, "all"),
        "team and stage": tracker_of(
            company,
            "team and stage",
            {"field": "TEAM", "team": team},
            {"field": "DEAL_STAGE", "text": "Stage 1"},
        ),
        "user": tracker_of(company, "user", {"field": "USER", "member": member}),
        "exclude": tracker_of(
            company,
            "exclude",
            {"field": "ACCOUNT_TYPE", "text": "Type 2", "is_excluded": True},
        ),
    }
    now, rates = timezone.now(), people.rates()
    slow = {}
    for name, tracker in trackers.items():
        version = tracker.versions.get()
        asked = {
            "a month": lambda: estimates.monthly(
                tracker=tracker,  # noqa: B023
                version=version,  # noqa: B023
                now=now,
                rates=rates,
            ),
            "a quarter's backfill": lambda: estimates.backfill(
                tracker=tracker,  # noqa: B023
                version=version,  # noqa: B023
                from_at=now - timedelta(days=90),
                to_at=now,
                rates=rates,
            ),
            "all history": lambda: estimates.backfill(
                tracker=tracker,  # noqa: B023
                version=version,  # noqa: B023
                from_at=now - timedelta(days=DAYS + 1),
                to_at=now,
                rates=rates,
            ),
        }
        for what, ask in asked.items():
            times = []
            for _ in range(ROUNDS):
                began = time.monotonic()
                found = ask()
                times.append(time.monotonic() - began)
            seconds = statistics.median(times)
            print(f"{name}, {what}: {found.conversations:,} conversations, {seconds * 1000:.0f} ms")
            if what == "a month" and seconds > SECONDS_MAX:
                slow[name, what] = seconds

    assert slow == {}
