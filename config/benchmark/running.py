"""Run a labelled folder through the product: import, publish, backfill, real workers, charges."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone
from django.utils.text import slugify

from config import databases
from config.benchmark.folder import Folder, TrackerSpec
from config.embedded_postgres import PROJECT
from credits import companies, grants, rating
from credits.models import Company, Source, User
from trackers import (
    backfill_progress,
    backfills,
    calibrating,
    ingestion,
    language_model,
    publishing,
)
from trackers.analyzers.base import Calibration, TrackerQuestion
from trackers.importers.records import ConversationRecord
from trackers.models import (
    Backfill,
    BackfillState,
    Conversation,
    Tracker,
    TrackerVersion,
)

WORKER_PROCESSES = 2
STALLED_SECONDS = 600  # Without one more conversation for so long, the run has failed.
POLL_SECONDS = 0.1
CREDITS = Decimal(1_000_000)
OFFLINE, LLM = ANALYZERS = ("offline", "llm")

# Gives a tracker's calibration where it is not to be learned by the workers.
Calibrate = Callable[[TrackerSpec, TrackerQuestion], Calibration]


class Stalled(Exception):
    """The workers did not finish; the message says how far they came."""


@dataclass(slots=True)
class Run:
    """What was set up and how long it took: trackers by id, seconds of scanning by tracker id."""

    trackers: dict[str, Tracker] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def workers(database_dsn: str) -> Iterator[None]:
    """Run Celery workers on the database's own queues until the block ends."""
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--loglevel", "WARNING"]
    command += ["--concurrency", str(WORKER_PROCESSES), "-Q", "live,backfill,maintenance"]
    command += ["--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=databases.environment(database_dsn) | {"PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def run(
    folder: Folder,
    *,
    calibrate: Calibrate | None = None,
    say: Callable[[str], object],
    analyzer: str = OFFLINE,
) -> Run:
    """Scan every tracker by backfill over its own source's conversations, one after another.

    Works on the database this process is pointed at, which has to be empty and to have workers.
    """
    done = Run()
    person = User.objects.create_user("benchmark@tallystick.example")
    tenants = _import(folder, say)
    if analyzer == LLM:
        for tenant in tenants.values():
            language_model.switch(company=tenant, is_on=True, by=person)
    for spec in folder.trackers:
        company = tenants.get(spec.source)
        if company is None:
            say(f"{spec.id}: there is no conversation of source {spec.source}.")
            continue
        tracker = _publish(company, spec, person)
        done.trackers[spec.id] = tracker
        calibration = None
        if calibrate is not None:
            question = calibrating.question_of(tracker, tracker.version_in_force)
            calibration = calibrate(spec, question)
        began = time.monotonic()
        backfill = _launch(tracker, person, calibration)
        if backfill is None:
            say(f"{spec.id}: no conversation of its kinds.")
            continue
        _wait(backfill)
        done.seconds[spec.id] = time.monotonic() - began
        say(f"{spec.id}: {backfill.conversation_count} scanned in {done.seconds[spec.id]:.1f} s")
    return done


def _import(folder: Folder, say: Callable[[str], object]) -> dict[str, Company]:
    """Make one company per source, with its conversations and credits."""
    records: dict[str, list[ConversationRecord]] = {}
    reader = folder.conversations
    for record in reader:
        records.setdefault(record.source, []).append(record)
    for bad_line in reader.bad_lines:
        say(f"Left out: {bad_line}.")
    tenants = {}
    for number, (source, incoming) in enumerate(records.items(), start=1):
        slug = slugify(source)[:40] or "source"
        company = companies.open_company(
            name=source or "No source", slug=f"{slug}-{number}", time_zone="UTC"
        )
        for _ in ingestion.ingest(company=company, records=incoming, now=timezone.now()):
            pass
        grants.issue(company=company, source=Source.ADJUSTMENT, amount=CREDITS, by=None)
        tenants[source] = company
        say(f"{source}: {len(incoming)} conversations imported")
    return tenants


def _publish(company: Company, spec: TrackerSpec, person: User) -> Tracker:
    tracker = Tracker.objects.create(
        company=company,
        name=spec.id,
        include_calls="call" in spec.kinds,
        include_emails="email" in spec.kinds,
        examples=list(spec.examples),
        counter_examples=list(spec.counter_examples),
    )
    TrackerVersion.objects.create(
        company=company, tracker=tracker, number=1, question=spec.question, side=spec.side
    )
    return publishing.publish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=person, now=timezone.now()
    )


def _launch(tracker: Tracker, person: User, calibration: Calibration | None) -> Backfill | None:
    span = Conversation.objects.filter(company=tracker.company).aggregate(
        first=Min("started_at"), last=Max("started_at")
    )
    now = timezone.now()
    with transaction.atomic():
        try:
            backfill = backfills.launch(
                tracker_id=tracker.pk,
                from_at=span["first"],
                to_at=_after(span["last"]),
                ceiling=None,
                rates=rating.rates_at(now),
                by=person,
                now=now,
            )
        except backfills.NothingToScan:
            return None
        if calibration is not None:
            TrackerVersion.objects.filter(pk=backfill.version_id).update(
                calibration=asdict(calibration)
            )
    return backfill


def _wait(backfill: Backfill) -> None:
    finished, moved_at = -1, time.monotonic()
    while True:
        backfill.refresh_from_db(fields=["state"])
        if backfill.state == BackfillState.DONE:
            return
        progress = backfill_progress.of(backfill)
        if progress.finished > finished:
            finished, moved_at = progress.finished, time.monotonic()
        if backfill.state != BackfillState.RUNNING or time.monotonic() - moved_at > STALLED_SECONDS:
            raise Stalled(
                f"The backfill of {backfill.tracker} is {backfill.get_state_display().lower()} "
                f"at {progress.finished} of {progress.total} conversations."
            )
        time.sleep(POLL_SECONDS)


def _after(instant: datetime) -> datetime:
    return instant + timedelta(microseconds=1)
