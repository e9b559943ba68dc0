"""A company with a row of everything, and its canary written into every text it has."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import Error, models, transaction
from django.utils import timezone

from billing import allocations, purchases, seats, voiding
from billing.models import TopUp
from credits import api_keys, audit, charging, exports, limits, origins, zones
from credits.identifiers import new_id
from credits.ledger import Key, Use
from credits.models import (
    Alert,
    AlertMail,
    AlertState,
    Company,
    CreditGrant,
    ExportJob,
    Integration,
    LimitMail,
    UsageDay,
    UsageSum,
    User,
)
from credits.rating import Work
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.registry import Choice
from tests.support import asks, briefs, contracts, conversations, people, uploads
from trackers import erased_ids, previewing, reviewing, scanning
from trackers.models import (
    AdviceRun,
    Backfill,
    BriefPage,
    ConversationVectors,
    LlmAttempt,
    LlmSwitch,
    Narrowing,
    Suggestion,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

APPS = ("credits", "trackers", "billing")
# Codes without a list of choices: a page could not be shown at all with another text in them.
CODES = {
    ("IdempotencyRecord", "operation"),
    ("Allocation", "time_zone"),
    ("SpendingLimit", "time_zone"),
    ("ApiKey", "prefix"),
    ("ExportJob", "report"),
    # Only the folder of exports is ever looked into.
    ("ExportJob", "file_name"),
    ("Conversation", "language"),
    ("Tracker", "language"),
    ("HistoricalTracker", "language"),
    ("Narrowing", "language_before"),
    ("TrackerVersion", "pretrained"),
}
ROWS_MAX = 50  # A company of this test has fewer of each.


def seed(name: str, *, canary: str) -> Company:
    """Make a company whose rows all say ``canary``, which a walk looks for."""
    now = timezone.now()
    company = people.company(name)
    # Who asks for an address has typed the slug, and pages that refuse may repeat the address.
    Company.objects.filter(pk=company.pk).update(slug=f"company-{company.pk}")
    company.refresh_from_db()
    alice = people.alice(company)
    everybody = (alice, people.bob(company), people.vic(company))
    people.credits_for(company, "100")
    people.credits_for(company, "5", effective_at=now + timedelta(days=9))
    Integration.objects.create(company=company, name=f"{canary} desk", kind="API")
    _spend(company, canary)
    api_keys.create(company=company, name=canary, scopes=["balance:read"], by=alice, now=now)
    tracker = conversations.published(company, alice, f"{canary} 0", now=now - timedelta(days=60))
    recent = conversations.record(f"{canary}-1", started_at=now - timedelta(days=1))
    conversations.ingest(company, recent, now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    TrackerFilter.objects.create(
        company=company, tracker=tracker, field="DEAL_STAGE", text="evaluation"
    )
    Backfill.objects.create(
        company=company,
        tracker=tracker,
        version_id=tracker.current_version_id,
        state="STOPPED",
        from_at=now - timedelta(days=90),
        to_at=now,
        conversation_count=1,
        estimate=Decimal(1),
        ceiling=Decimal(1),
        started_at=now,
        started_by=alice,
        ended_at=now,
    )
    for window in ("DAY", "MONTH"):
        limits.set(
            company=company,
            subject=limits.of_tracker(tracker.pk, name=f"{canary} limited"),
            window=window,
            credits=Decimal(1000),
            by=alice,
        )
    _try(tracker, alice)
    _ask(company, alice)
    _brief(company, alice, tracker)
    words = Tracker.objects.create(company=company, name=f"{canary} words", kind="KEYWORD")
    TrackerVersion.objects.create(
        company=company,
        tracker=words,
        number=1,
        kind="KEYWORD",
        question=canary,
        terms=[canary],
    )
    uploads.kept(company, alice, now=now, content=b"{}", name=f"{canary}.jsonl")
    erased_ids.key_of(company)
    _advise(company, tracker)
    _ask_a_model(company)
    _buy(company, canary)
    for user in everybody:
        User.objects.filter(pk=user.pk).update(name=f"{name} {user.name}")
    _export(company, alice)
    _alert(company, alice)
    _write_everywhere(company, canary)
    _act(company, alice, canary)
    return company


def _try(tracker: Tracker, by: User) -> None:
    """Test the tracker, and let its person confirm what was found."""
    preview = previewing.run(tracker_id=tracker.pk, count=1, by=by, clock=timezone.now)
    reviewing.judge_preview(result=preview.results.get(), is_right=True, by=by, now=timezone.now())
    ConversationVectors.objects.get_or_create(
        company_id=tracker.company_id,
        conversation_id=preview.results.get().conversation_id,
        revision=1,
        defaults={"model": "seed", "vectors": b"seed"},
    )


def _ask(company: Company, by: User) -> None:
    """Ask about its account, for nothing, so that it has an answer that cites what was said."""
    made = asks.ask(
        company, "Is it too expensive for them?", requester=asks.at_the_page(company, by)
    )
    assert made.citations.exists()


def _brief(company: Company, by: User, tracker: Tracker) -> None:
    """Run a brief with a section of each kind, by hand; its web search found a page."""
    brief = briefs.brief(company, by, briefs.PRICES, briefs.of_tracker(tracker), briefs.NEWS)
    made = briefs.run(briefs.by_hand(by, company), brief, entity=briefs.account(company))
    BriefPage.objects.create(
        company=company,
        result=made.results.get(kind="WEB"),
        rank=1,
        title="Seed",
        url="https://seed.example",
    )


def _buy(company: Company, canary: str) -> None:
    """Give it a contract with seats, a top-up, and a purchase in each state that says something.

    What a trigger keeps as it is says the canary from the start.
    """
    now, staff = timezone.now(), people.vera()
    kind = contracts.seat_type(company, f"{canary} seat")
    contracts.contract(company, now.date().isoformat())
    seats.count(seat_type=kind, seats=3, effective_on=now.date(), by=staff, now=now, note=canary)
    (allocation,) = allocations.run(company=company, now=now)
    TopUp.objects.create(
        company=company,
        allocation=allocation,
        amount=Decimal(1),
        grant=people.credits_for(company, "1"),
        reason=canary,
        made_at=now,
        made_by=staff,
    )
    wish = {"note": canary, "key": Key.of(canary)}
    contracts.requested(company, staff, "7", order_reference=canary, **wish)
    cancelled = contracts.requested(company, staff, "8")
    purchases.cancel(purchase=cancelled, by=staff, reason=f"{canary} cancels", now=now)
    voiding.void(
        purchase=contracts.fulfilled(company, staff, "9"),
        by=staff,
        reason=f"{canary} voids",
        now=now,
    )


def _advise(company: Company, tracker: Tracker) -> None:
    """Suggest something, and keep a change of what the tracker reads."""
    now = timezone.now()
    run = AdviceRun.objects.create(company=company, computed_at=now)
    Suggestion.objects.create(
        company=company,
        run=run,
        tracker=tracker,
        kind="FILTER",
        field="DEAL_STAGE",
        values=["won"],
        words="deal stage is won",
        edit_number=tracker.edit_number,
        conversations_before=1,
        conversations_after=0,
        credits_before=2,
        credits_after=0,
        read_count=1,
        found_count=0,
    )
    Narrowing.objects.create(
        company=company,
        tracker=tracker,
        edit_number=tracker.edit_number,
        calls_before=True,
        emails_before=False,
        filters_before=[],
        made_at=now,
    )


def _ask_a_model(company: Company) -> None:
    """Keep a switch that is off, and a request to a language model from before."""
    LlmSwitch.objects.create(company=company)
    LlmAttempt.objects.create(
        company=company,
        purpose="ASK",
        run_ref=new_id(),
        model="seed",
        mode="PROMPT",
        outcome="OK",
        tokens_in=1,
        tokens_out=1,
        is_estimated=False,
        request_id="seed",
        latency_ms=1,
        begun_at=timezone.now(),
    )


def tenant_models() -> list[type[models.Model]]:
    """Return every model with a company of its own."""
    return [
        model
        for model in apps.get_models()
        if model._meta.app_label in APPS
        and any(field.name == "company" for field in model._meta.concrete_fields)
    ]


def _spend(company: Company, canary: str) -> None:
    use = Use("ASK", f"{canary} question", None, "API_REQUEST", request_id=canary)
    work = Work(long_calls=1, request_count=1)
    charging.charge(company=company, use=use, work=work, rates=people.rates())
    charging.reserve(company=company, amount=Decimal(2), use=use, rates=people.rates())
    yesterday = timezone.localdate() - timedelta(days=1)
    starts_at, ends_at = zones.days(yesterday, yesterday, ZoneInfo(company.time_zone))
    UsageSum.objects.create(
        company=company,
        day=UsageDay.objects.create(company=company, starts_at=starts_at, ends_at=ends_at),
        feature_type="ASK",
        feature_name=f"{canary} question",
        action="API_REQUEST",
        calls=1,
        emails=0,
        web_searches=0,
        request_count=1,
        amount=1,
    )
    CreditGrant.objects.filter(company=company).update(reason=canary, reference=canary)


def _export(company: Company, person: User) -> None:
    """Leave a report ready, with its file, and one that failed."""
    choice = Choice(report="credit-usage", days=DayRange(), file_format="csv")
    now = timezone.now()
    for later in (0, 1):
        exports.request(
            company=company,
            choice=choice,
            row_count=1,
            by=person,
            now=now + timedelta(seconds=later),
        )
    ready, failed = ExportJob.objects.filter(company=company).order_by("requested_at")
    with_file(ready)
    ExportJob.objects.filter(pk=failed.pk).update(state="FAILED", reason="x", finished_at=now)


def _alert(company: Company, person: User) -> None:
    """Leave an alert, and its e-mail that was not sent."""
    alert = Alert.objects.create(
        company=company,
        kind="USED",
        threshold=75,
        raised_at=timezone.now(),
        sequence=1,
        available=Decimal(25),
        total=Decimal(100),
    )
    AlertState.objects.create(company=company, kind="USED", level=75, sequence=1)
    AlertMail.objects.create(company=company, alert=alert, receiver=person, trouble="x")
    LimitMail.objects.create(
        company=company,
        limit=company.limits.first(),
        window_starts_at=timezone.now(),
        receiver=person,
        trouble="x",
    )


def with_file(job: ExportJob) -> ExportJob:
    """Let a job be ready, as if a worker had prepared it; one would do so in its own session."""
    now, choice = timezone.now(), exports.choice_of(job)
    content = exports.folder() / f"{job.pk}.csv"
    with content.open("wb") as file:
        files.write(choice.report_of(job.company), choice.days, file)
    ExportJob.objects.filter(pk=job.pk).update(
        state="READY",
        file_name=content.name,
        byte_count=content.stat().st_size,
        finished_at=now,
        expires_at=now + timedelta(days=7),
    )
    return job


def _act(company: Company, by: User, canary: str) -> None:
    """Leave a line on the trail that says the canary in each of its columns; none can later."""
    origin = origins.Origin(
        door="ADMIN", user_agent=canary, request_id=canary, job=canary, ip="203.0.113.9"
    )
    with origins.coming_from(origin):
        audit.record(
            action=audit.Action.CHANGED,
            by=by,
            company=company,
            subject=audit.Subject(canary, canary, canary),
            before={canary: f"{canary} before"},
            after={canary: f"{canary} after"},
            reason=canary,
        )


def _write_everywhere(company: Company, canary: str) -> int:
    """Put the canary into every text column that takes it; return how many cells there are.

    A constraint or a trigger may refuse: append-only rows say it since they were made.
    """
    count = 0
    for model in tenant_models():
        for row in model._default_manager.filter(company=company)[:ROWS_MAX]:
            for field in model._meta.concrete_fields:
                if (model.__name__, field.name) in CODES or not is_text(field):
                    continue
                text = f"{canary} {count}"
                value = [text] if isinstance(field, ArrayField) else text
                try:
                    with transaction.atomic():
                        count += model._default_manager.filter(pk=row.pk).update(
                            **{field.name: value}
                        )
                except Error:
                    continue
    return count


def is_text(field: models.Field) -> bool:
    if isinstance(field, ArrayField):
        return is_text(field.base_field)
    return isinstance(field, (models.CharField, models.TextField)) and not (
        field.choices or field.primary_key
    )
