"""Conversations are kept as long as their company does; the night erases the rest, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from credits.identifiers import new_id
from credits.models import AuditEvent, JobRun
from tests.support import conversations, people, uploads
from tests.support.conversations import record
from trackers import retention, tasks
from trackers.models import Conversation, ImportFile, LlmAttempt, Retention

pytestmark = pytest.mark.django_db


def left() -> list[str]:
    rows = Conversation.objects.filter(erased_at=None).order_by("external_id")
    return list(rows.values_list("external_id", flat=True))


def test_what_is_older_than_its_company_keeps_is_erased(now):
    acme, globex, initech = (people.company(name) for name in ("Acme", "Globex", "Initech"))
    for company, days in ((acme, 30), (globex, 90)):
        Retention.objects.create(company=company, days=days)
    for company in (acme, globex, initech):
        conversations.ingest(
            company,
            record(f"{company}-60", started_at=now - timedelta(days=60)),
            record(f"{company}-10", started_at=now - timedelta(days=10)),
        )

    count = retention.erase_old(clock=lambda: now)

    assert count == 1
    assert left() == ["Acme-10", "Globex-10", "Globex-60", "Initech-10", "Initech-60"]


def test_the_limit_is_the_instant(now):
    acme = people.company()
    Retention.objects.create(company=acme, days=30)
    conversations.ingest(
        acme,
        record("exactly", started_at=now - timedelta(days=30)),
        record("older", started_at=now - timedelta(days=30, seconds=1)),
    )

    retention.erase_old(clock=lambda: now)

    assert left() == ["exactly"]


def test_the_job_runs_once_a_day_whoever_starts_it(now):
    acme = people.company()
    Retention.objects.create(company=acme, days=30)
    conversations.ingest(acme, record("old", started_at=now - timedelta(days=60)))

    tasks.retain()
    conversations.ingest(acme, record("late", started_at=now - timedelta(days=60)))
    tasks.retain()

    assert left() == ["late"]
    assert JobRun.objects.get(name="retain").summary == "1 conversation erased"
    event = AuditEvent.objects.get(action="ERASED")
    assert (event.door, event.job, event.actor_kind) == ("TASK", "retain", "SYSTEM")


def test_a_night_is_bounded_and_the_next_goes_on(now, monkeypatch):
    monkeypatch.setattr(retention, "CONVERSATIONS_MAX", 2)
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    acme = people.company()
    Retention.objects.create(company=acme, days=30)
    conversations.ingest(
        acme,
        *(record(f"{age}", started_at=now - timedelta(days=age)) for age in (70, 60, 50)),
    )

    first = retention.erase_old(clock=lambda: now)
    rest = left()
    second = retention.erase_old(clock=lambda: now)

    assert (first, rest, second) == (2, ["50"], 1)


def asked(company, begun_at):
    return LlmAttempt.objects.create(
        company=company,
        purpose="ASK" if company else "CONNECTION",
        run_ref=new_id(),
        model="m",
        mode="PROMPT",
        outcome="OK",
        tokens_in=1,
        tokens_out=1,
        is_estimated=False,
        latency_ms=1,
        begun_at=begun_at,
    )


def test_requests_to_a_model_are_kept_for_more_than_a_year(now):
    acme = people.company()
    old = now - retention.REQUESTS_KEPT - timedelta(minutes=1)
    asked(acme, old)
    asked(None, old)
    kept = asked(acme, now - timedelta(days=366))

    tasks.retain()

    assert LlmAttempt.objects.get() == kept
    assert JobRun.objects.get(name="retain").summary == "0 conversations erased, 2 model requests"


def test_a_night_forgets_a_bounded_number_of_requests_the_oldest_first(now, monkeypatch):
    monkeypatch.setattr(retention, "REQUESTS_MAX", 2)
    monkeypatch.setattr(retention, "REQUESTS_AT_ONCE", 1)
    acme = people.company()
    rows = [asked(acme, now - timedelta(days=days)) for days in (500, 700, 600)]

    first = retention.forget_requests(clock=lambda: now)
    left = LlmAttempt.objects.get()
    second = retention.forget_requests(clock=lambda: now)

    assert (first, left, second) == (2, rows[0], 1)


def test_uploads_that_nobody_confirmed_are_removed_by_the_hour(now):
    acme = people.company()
    alice = people.alice(acme)
    uploads.kept(acme, alice, now=now - timedelta(hours=2), content=b"old")
    kept = uploads.kept(acme, alice, now=now, content=b"new")

    tasks.forget_uploads()

    assert ImportFile.objects.get().upload == kept
    assert JobRun.objects.get(name="forget_uploads").summary == "1 file removed"
