"""A process killed between a language model's reply and the commit charges nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from config import databases
from config.embedded_postgres import PROJECT
from credits import reconciliation
from credits.faults import Point
from credits.models import LedgerEntry, UsageEvent
from tests.faults.test_killed_ask import KEY, is_free
from tests.support import asks, conversations, language_models, people
from tests.support.processes import kill, wait_until
from trackers import language_model, scanning, sweeping
from trackers.models import AskRequest, LlmAttempt, LlmSwitch, Quote, Scan


@pytest.fixture
def server(settings):
    with language_models.serving() as running:
        settings.LLM = running.endpoint(timeout_seconds=60)
        yield running
        language_model._client(settings.LLM).close()
        language_model._client.cache_clear()


@pytest.fixture
def acme(committed, server):
    company = people.company()
    people.credits_for(company, "10")
    LlmSwitch.objects.create(company=company, is_on=True)
    return company


@pytest.fixture
def killed_at(committed, server, tmp_path):
    """What runs a program until it is at a point, and kills it there."""

    def run(program: str, slug: str, point: Point) -> None:
        fault = tmp_path / "reached"
        doomed = subprocess.Popen(
            [sys.executable, "-m", program, slug],
            cwd=PROJECT,
            env=databases.environment(committed)
            | server.environment(TIMEOUT_SECONDS=60)
            | {
                "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
                "FAULT_POINT": point,
                "FAULT_FILE": str(fault),
            },
            start_new_session=True,
        )
        try:
            wait_until(fault.exists, f"the process to get to “{point}”", seconds=300)
        finally:
            kill(doomed, signal.SIGKILL)

    return run


@pytest.mark.parametrize("point", [Point.READ, Point.CAPTURED])
def test_a_scan_is_read_again_and_charged_once(acme, server, killed_at, point):
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(acme, conversations.record("call-1", started_at=now), now=now)
    killed_at("tests.faults.scanner", acme.slug, point)
    assert not UsageEvent.objects.exists()

    Scan.objects.update(leased_until=now - timedelta(seconds=1))
    sweeping.sweep(now=timezone.now())
    later = timezone.now() + timedelta(hours=1)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=lambda: later)

    assert (Scan.objects.get().state, Quote.objects.count()) == ("DONE", 1)
    assert UsageEvent.objects.get().amount == Decimal("0.500")
    # Whoever runs the site pays for both requests, and sees both.
    assert [one.outcome for one in LlmAttempt.objects.all()] == ["OK", "OK"]
    assert reconciliation.check() == []


def test_an_ask_is_asked_again_and_charged_once(acme, server, killed_at):
    asks.globex(acme)
    killed_at("tests.faults.asker", acme.slug, Point.CHARGED)
    wait_until(lambda: is_free(acme), "the database to notice that the process is gone")

    for _ in range(2):
        asks.ask(acme, key=KEY)

    assert AskRequest.objects.count() == 1
    assert LedgerEntry.objects.filter(kind="CONSUMED").count() == 1
    assert [one.outcome for one in LlmAttempt.objects.all()] == ["OK", "OK"]
    assert reconciliation.check() == []
