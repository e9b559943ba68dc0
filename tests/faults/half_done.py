"""Work that leads to each fault point, how it is done again, and what must be true in the end."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from billing import allocations, fulfilment
from billing.models import Allocation, Purchase
from credits import charging, expirations, exports, reconciliation
from credits import wakes as export_wakes
from credits.faults import Point
from credits.ledger import Key, Use
from credits.models import ExportJob, LedgerEntry, Reservation, UsageEvent
from tests.support import asks, contracts, conversations, exporting, people, statement
from tests.support.analyzers import ScriptedAnalyzer
from trackers import analyzers, claiming, ingestion, scanning, sweeping, wakes
from trackers.models import AskRequest, Conversation, Scan

BATCH = 3


class Scene:
    """A company with work of every kind, and the harness's own record of what it asked for."""

    def __init__(self, record: Path) -> None:
        scripted = ScriptedAnalyzer()
        analyzers.in_use = lambda: scripted
        # A broker that loses everything; batches and chunks so small that there are many.
        wakes._send = export_wakes._send = lambda *args, **kwargs: None
        claiming.BATCH_SIZE_MAX, ingestion.CHUNK_SIZE = BATCH, 2
        settings.EXPORTS = Path(tempfile.mkdtemp(prefix="tallystick-kills-"))
        self.record = record
        self.company = people.company()
        people.credits_for(self.company, "1000000")
        self.alice, self.vera = people.alice(self.company), people.vera()
        self.account = asks.globex(self.company)
        self.tracker = conversations.published(
            self.company, self.alice, now=timezone.now() - timedelta(days=60)
        )
        self.tracked, self.asked, self.exports, self.purchases = 0, 0, 0, 0
        self.contracted: list[Any] = []
        self.ingested: list[str] = []
        self.expiring: list[Any] = []
        self.left_held: list[uuid.UUID] = []

    # What each kind of work is about, and the work.
    def conversations(self) -> list:
        """Three calls that no tracker reads: they are too old."""
        names = [f"old {uuid.uuid4()}" for _ in range(3)]
        self.ingested += names
        return [conversations.record(name) for name in names]

    def ingest(self, records: list) -> None:
        conversations.ingest(self.company, *records)

    def calls(self) -> None:
        fresh = timezone.now() - timedelta(days=1)
        names = [f"new {uuid.uuid4()}" for _ in range(BATCH)]
        self.ingested += names
        records = [conversations.record(name, started_at=fresh) for name in names]
        self.ingest(records)

    def scan(self, about: Any = None) -> None:
        version = self.tracker.current_version_id
        scanning.run_batch(version_id=version, backfill_id=None, clock=timezone.now)

    def scan_again(self, about: Any = None) -> None:
        self.sweep()
        while Scan.objects.filter(state="PENDING").exists():
            self.scan()

    def half_read(self) -> None:
        """A batch whose worker died with the credits for it held."""
        self.calls()
        now = timezone.now()
        batch = claiming.claim(
            version_id=self.tracker.current_version_id,
            backfill_id=None,
            rates=people.rates(),
            now=now,
        )
        claiming.hold_credits(batch, now=timezone.now())
        # The sweep dies before it frees them; a quarter of an hour later they lapse.
        self.left_held.append(batch.reservation_ref)
        self.let_the_leases_run_out()

    def sweep(self, about: Any = None) -> None:
        sweeping.sweep(now=timezone.now())

    def let_the_leases_run_out(self) -> None:
        """What five minutes would do."""
        past = timezone.now() - timedelta(seconds=1)
        Scan.objects.filter(state="RUNNING").update(leased_until=past)
        ExportJob.objects.filter(state="PREPARING").update(leased_until=past)

    def due(self) -> None:
        for _ in range(2):
            company = people.company()
            people.credits_for(company, "5", expires_at=timezone.now() + timedelta(milliseconds=30))
            self.expiring.append(company)

    def settle(self, about: Any = None) -> None:
        while LedgerEntry.objects.filter(company__in=self.expiring, kind="EXPIRED").count() < len(
            self.expiring
        ):
            expirations.settle_due()

    def key(self) -> str:
        return f"key {uuid.uuid4()}"

    def charge(self, key: str) -> None:
        self._write_down({"key": key, "sent": True})
        use = Use("ASK", "Ask anything", None, "API_REQUEST", request_id=key)
        event = charging.charge(
            company=self.company,
            use=use,
            work=statement.work_of("0.001"),
            rates=statement.MILLS,
            key=Key.of(key, same="body"),
        )
        # A replay was read back, and has no figures of the pool with it.
        was_done = event.available is None
        self._write_down({"key": key, "acknowledged": str(event.pk), "was_done": was_done})

    def charge_on(self, tell: Callable[[], Any]) -> None:
        """First ask again for what an earlier child was not told, then for ever more."""
        lines = self._lines()
        done = {line["key"] for line in lines if "acknowledged" in line}
        for key in sorted({line["key"] for line in lines} - done):
            self.charge(key)
            tell()
        while True:
            self.charge(self.key())
            tell()

    def question(self) -> Key:
        self.asked += 1
        return Key.of(f"ask {self.asked}", body="the same")

    def ask(self, key: Key) -> None:
        asks.ask(self.company, key=key)

    def contract(self) -> Any:
        company = people.company()
        contracts.seated(company, timezone.now().date().isoformat())
        self.contracted.append(company)
        return company

    def allocate(self, company: Any) -> None:
        allocations.run(company=company, now=timezone.now())

    def purchase(self) -> Purchase:
        self.purchases += 1
        return contracts.approved(self.company, self.vera, "10")

    def fulfil(self, purchase: Purchase) -> None:
        today = timezone.now().date()
        fulfilment.fulfil(
            purchase=Purchase.objects.get(pk=purchase.pk),
            by=self.vera,
            starts_on=today,
            ends_on=today + timedelta(days=400),
            now=timezone.now(),
        )

    def export(self) -> Any:
        self.exports += 1
        # Old ones are ended, so that the company may ask for more.
        return exporting.asked_for(self.company, self.alice, now=timezone.now()).pk

    def prepare(self, job_id: Any) -> None:
        exports.prepare(job_id=job_id, clock=timezone.now)

    # What is true when all that was begun has been done again.
    def finish_and_judge(self) -> dict:
        self.let_the_leases_run_out()
        self.scan_again()
        lines = self._lines()
        acknowledged = {
            line["key"]: line["acknowledged"] for line in lines if "acknowledged" in line
        }
        never_told = {line["key"] for line in lines} - acknowledged.keys()
        for key in sorted(never_told):
            self.charge(key)
        events = UsageEvent.objects.filter(company=self.company, request_id__startswith="key ")
        by_key = Counter(events.values_list("request_id", flat=True))
        there = {str(pk) for pk in events.values_list("pk", flat=True)}
        gone = {key for key, pk in acknowledged.items() if pk not in there}
        sent = {line["key"] for line in lines}
        calls = sum(event.calls for event in UsageEvent.objects.filter(feature_ref=self.tracker.pk))
        read = Scan.objects.filter(state="DONE", usage_event__isnull=False).count()
        asked = AskRequest.objects.filter(company=self.company)
        uses = UsageEvent.objects.filter(company=self.company, feature_type="ASK")
        answers = uses.exclude(request_id__startswith="key ").count()
        wrong = {
            "credits still held": Reservation.objects.filter(
                company=self.company, state="OPEN", feature_type="TRACKER"
            )
            .exclude(pk__in=self.left_held)
            .count(),
            "scans not done": Scan.objects.exclude(state="DONE").count(),
            "scans charged twice or never": abs(calls - read),
            "questions not asked": self.asked - asked.count(),
            "questions charged twice or never": self.asked - answers,
            "conversations": len(self.ingested)
            - Conversation.objects.filter(external_id__in=self.ingested).count(),
            "periods": len(self.contracted)
            - Allocation.objects.filter(company__in=self.contracted).count(),
            "purchases": self.purchases
            - Purchase.objects.filter(state="FULFILLED", grant__isnull=False).count(),
            "exports": self.exports - ExportJob.objects.filter(state="READY").count(),
            "expiries": len(self.expiring)
            - LedgerEntry.objects.filter(company__in=self.expiring, kind="EXPIRED").count(),
        }
        return {
            "sent": len(sent),
            "acknowledged": len(acknowledged),
            "asked_at_last": len(never_told),
            "asked_again": sum("sent" in line for line in lines) - len(sent),
            "resolved_by_key": sum(line.get("was_done", False) for line in lines),
            "lost": len(gone | (sent - by_key.keys())),
            "double": sum(count > 1 for count in by_key.values()),
            "below_zero": LedgerEntry.objects.filter(balance_after__lt=Decimal(0)).count(),
            "wrong": {name: count for name, count in wrong.items() if count},
            "audit": [str(breach) for breach in reconciliation.check()],
        }

    def _write_down(self, line: dict) -> None:
        with open(self.record, "a") as file:
            file.write(json.dumps(line) + "\n")

    def _lines(self) -> list[dict]:
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text().split("\n")[:-1]]


@dataclass(frozen=True)
class Work:
    """How to make something to do, do it, and do again what a killed process left."""

    prepare: Callable[[Scene], Any]
    do: Callable[[Scene, Any], None]
    again: Callable[[Scene, Any], None] | None = None

    def do_again(self, scene: Scene, about: Any) -> None:
        (self.again or self.do)(scene, about)


_SCAN = Work(Scene.calls, Scene.scan, Scene.scan_again)
_INGEST = Work(Scene.conversations, Scene.ingest)
_ASK = Work(Scene.question, Scene.ask)
_EXPORT = Work(Scene.export, Scene.prepare)
WORK = {
    Point.ANSWERED: Work(Scene.key, Scene.charge),
    Point.SETTLED: Work(lambda scene: scene.due(), Scene.settle),
    Point.CLAIMED: _SCAN,
    Point.RESERVED: _SCAN,
    Point.READ: _SCAN,
    Point.CAPTURED: _SCAN,
    Point.WRITTEN: _SCAN,
    Point.TAKEN_BACK: Work(lambda scene: scene.half_read(), Scene.sweep, Scene.scan_again),
    Point.SWEPT: Work(lambda scene: scene.calls(), Scene.sweep, Scene.scan_again),
    Point.HELD: _ASK,
    Point.CHARGED: _ASK,
    Point.PERFORMED: _ASK,
    Point.INGESTED: _INGEST,
    Point.TAKEN_IN: _INGEST,
    Point.ALLOCATED: Work(Scene.contract, Scene.allocate),
    Point.FULFILLED: Work(Scene.purchase, Scene.fulfil),
    Point.LEASED: _EXPORT,
    Point.ROWS: _EXPORT,
    Point.NAMED: _EXPORT,
    Point.READY: _EXPORT,
}
