"""What people wrote about somebody, wherever there is room for words, goes with them (SPEC §10).

Each text column of the three apps is in one of the lists below, so that a new one fails here until
somebody has decided whether people write into it.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, models
from django.utils import timezone

from billing.models import Purchase, SeatCount, TopUp, ZoneChange
from credits import erasure, reconciliation, removal, written
from credits.models import Company, Correction, CreditGrant, SpendingLimit, User
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.registry import Choice
from tests.security import seeding
from tests.support import dumping, people
from trackers import erasure as trackers_erasure
from trackers import erasure_requests
from trackers.mentions import Person
from trackers.models import TeamMember

NAME, ADDRESS = "Zqjane Dovecotexw", "zqjane@globex.example"
PERSON = Person((ADDRESS,), (NAME,))

# What a person is called, or said: taken by who they are, by what they took part in, or by words
# (tests/security/test_erased_words.py).
ERASED_ELSEWHERE = {
    "credits.User": {"email", "name"},
    "credits.AuditText": {"actor_name", "user_agent", "subject_label", "changes", "reason"},
    "trackers.TeamMember": {"email", "name"},
    "trackers.Contact": {"email", "name", "external_id"},
    "trackers.Participant": {"external_id", "party_id", "name", "email"},
    "trackers.Conversation": {"external_id", "source", "title"},
    "trackers.Utterance": {"external_id", "text"},
    "trackers.Tracker": {"name", "description", "examples", "counter_examples"},
    "trackers.HistoricalTracker": {
        *("name", "description", "examples", "counter_examples", "history_change_reason"),
    },
    "trackers.TrackerVersion": {"question", "details", "choices", "terms", "calibration"},
    "trackers.AskRequest": {"question", "answer"},
    "trackers.BriefRun": {"facts"},
    "trackers.BriefResult": {"text"},
    "trackers.BriefPage": {"title", "url", "excerpt"},
    "trackers.ImportFile": {"name", "content"},
    "trackers.Scan": {"answer"},
    "trackers.PreviewResult": {"answer"},
    # Texts under a digest or as numbers, gone with the conversation.
    "trackers.ConversationVectors": {"vectors"},
}
# Names of organizations and of things; docs/privacy.md says that they stay. What a tracker was
# called when it was charged is part of the use, which is never changed.
NAMES_THAT_STAY = {
    "credits.Company": {"name", "slug"},
    "credits.UsageEvent": {"feature_name"},
    "credits.UsageSum": {"feature_name"},
    "credits.Reservation": {"feature_name"},
    "trackers.Team": {"name"},
    "trackers.CustomerAccount": {"name", "account_type", "external_id"},
    "trackers.Deal": {"name", "stage", "external_id"},
    "trackers.Conversation": {"account_type", "deal_stage"},
    "trackers.TrackerFilter": {"text"},
    "trackers.Suggestion": {"values", "words"},
    "trackers.Narrowing": {"filters_before"},
    "billing.SeatType": {"name"},
    "billing.AllocationLine": {"seat_name"},
}
# Written by the product or by programs, in a form that has no room for prose.
CODES = {
    "credits.User": {"password"},
    "credits.Company": {"time_zone"},
    "credits.SignInLink": {"secret_sha256"},
    "credits.ApiKey": {"prefix", "secret_sha256", "scopes", "networks"},
    "credits.RequestTally": {"recent_at"},
    "credits.CreditPool": {"last_hash"},
    "credits.CreditGrant": {"terms_hash"},
    "credits.LedgerEntry": {"hash"},
    "credits.UsageEvent": {"request_id"},
    "credits.AuditEvent": {
        *("job", "subject_type", "subject_id", "changed_fields", "request_id"),
    },
    "credits.ExportJob": {"report", "file_name", "page_url", "reason"},
    "credits.JobRun": {"name", "summary"},
    "credits.SpendingLimit": {"api_key_refs", "time_zone"},
    "credits.Reservation": {"request_id"},
    "credits.IdempotencyRecord": {"operation", "key", "body_sha256", "answer"},
    "trackers.Tracker": {"language"},
    "trackers.HistoricalTracker": {"language"},
    "trackers.TrackerVersion": {"pretrained"},
    "trackers.Backfill": {"end_reason"},
    "trackers.Narrowing": {"language_before"},
    "trackers.Conversation": {"text_digest", "metadata_digest", "language"},
    "trackers.AskRequest": {"analyzer", "conversation_ids", "reuse_digest"},
    "trackers.LlmAttempt": {"model", "request_id"},
    "trackers.LlmEndpoint": {"digest", "model"},
    "trackers.BriefRun": {"conversation_ids"},
    "trackers.BriefResult": {"reason", "analyzer"},
    "trackers.Retention": {"erasure_key"},
    "trackers.Scan": {"reason"},
    "trackers.Preview": {"asked"},
    "trackers.Review": {"asked"},
    "trackers.ConversationVectors": {"model"},
    "trackers.IngestionTally": {"recent_at"},
    "billing.Allocation": {"time_zone"},
    "billing.Purchase": {"request_key", "request_sha256"},
    "billing.ZoneChange": {"before", "after"},
}
TEXTS = (models.CharField, models.TextField, models.JSONField, models.BinaryField, ArrayField)


def text_columns() -> set[tuple[str, str]]:
    return {
        (model._meta.label, field.name)
        for model in apps.get_models()
        if model._meta.app_label in seeding.APPS
        for field in model._meta.concrete_fields
        if isinstance(field, TEXTS) and not field.choices
    }


def written_columns() -> set[tuple[str, str]]:
    found = {(one.model._meta.label, name) for one in written.words() for name in one.fields}
    return found | {("billing.Purchase", "order_key")}


def listed(columns: dict[str, set[str]]) -> set[tuple[str, str]]:
    return {(label, name) for label, names in columns.items() for name in names}


# Only a row in a certain state may have them: a cancelled or voided purchase, a closed company.
OF_SOME_STATE = {
    ("credits.Company", "closing_reason"),
    ("credits.AlertMail", "trouble"),
    ("credits.LimitMail", "trouble"),
    ("credits.ExportJob", "mail_trouble"),
    ("billing.Purchase", "cancel_reason"),
    ("billing.Purchase", "void_reason"),
}


def plant(company: Company, *, with_common: bool) -> int:
    """Write the person into every column that is erased by words; return into how many rows.

    What nothing was planted in would prove nothing.
    """
    planted, rows_planted = set(OF_SOME_STATE), set()
    for one in written.words():
        if not one.company and not with_common:
            planted |= {(one.model._meta.label, name) for name in one.fields}
            continue
        rows = one.model._default_manager.all()
        if one.company:
            rows = rows.filter(**{one.company: company.pk})
        for place, row in enumerate(rows.order_by("pk")):
            for name in one.fields:
                changes = {name: f"Ask {NAME} or {ADDRESS}. {place}"}
                if name == "order_reference":
                    changes["order_key"] = changes[name].casefold()
                if written_over(row, changes):
                    planted.add((one.model._meta.label, name))
                    rows_planted.add(row.pk)
    assert planted | {("billing.Purchase", "order_key")} == written_columns()
    return len(rows_planted)


def written_over(row: models.Model, changes: dict[str, str]) -> bool:
    """Change a row as if it had been written so; tell whether its state allows it."""
    try:
        with erasure.allowed():
            type(row)._default_manager.filter(pk=row.pk).update(**changes)
    except IntegrityError:
        return False
    return True


def reports(company: Company) -> list[bytes]:
    found = []
    for name in ("credit-usage", "credit-balance", "purchase-history"):
        choice = Choice(report=name, days=DayRange(), file_format="csv", has_free_use=True)
        out = BytesIO()
        files.write(choice.report_of(company), choice.days, out, file_format="csv")
        found.append(out.getvalue())
    return found


def test_every_text_column_is_known_to_hold_words_of_people_or_not():
    lists = [written_columns(), *map(listed, (ERASED_ELSEWHERE, NAMES_THAT_STAY, CODES))]

    assert set().union(*lists) == text_columns()
    assert sum(map(len, lists)) == len(text_columns()), "a column is in two lists"


@pytest.fixture
def acme(committed):
    """A company with a row of everything, in which one person is a member by name and address."""
    acme = seeding.seed("Acme", canary="harmless")
    TeamMember.objects.create(company=acme, email=ADDRESS, name=NAME)
    ZoneChange.objects.create(
        company=acme,
        before=acme.time_zone,
        after="Asia/Tokyo",
        effective_at=timezone.now() + timedelta(days=30),
        decided_at=timezone.now(),
        decided_by=people.vera(),
        reason="The team has moved.",
    )
    return acme


@pytest.fixture
def acme_alone(db):
    return people.company()


WORDS = [ADDRESS, "Zqjane", "Dovecotexw"]


def test_what_was_written_of_an_address_is_in_no_dump_and_the_books_stay(committed, acme):
    planted = plant(acme, with_common=False)
    assert dumping.found_in(dumping.dump(committed), WORDS) == WORDS
    figures, breaches = reports(acme), reconciliation.check()
    request = erasure_requests.by_email(company=acme, email=ADDRESS)
    counted = erasure_requests.count(request).written

    done = trackers_erasure.erase(request=request, by=None, reason="Asked for.", now=timezone.now())

    assert (counted, done.written) == (planted, planted)
    assert dumping.found_in(dumping.dump(committed), WORDS) == []
    assert reports(acme) == figures
    assert reconciliation.check() == breaches
    grant = CreditGrant.objects.filter(company=acme).order_by("pk").first()
    assert grant.reason == "Ask [erased] or [erased]. 0"


def test_what_was_written_of_a_removed_person_is_in_no_dump(committed, acme):
    person = people.member(acme, "VIEWER", "Zqjane")
    User.objects.filter(pk=person.pk).update(name=NAME, email=ADDRESS)
    plant(acme, with_common=True)
    breaches = reconciliation.check()

    removal.remove(user=person, by=None, reason="Asked for.", now=timezone.now())

    assert dumping.found_in(dumping.dump(committed), WORDS) == []
    assert reconciliation.check() == breaches


def test_an_erasure_changes_words_and_nothing_else(acme):
    changes = (
        (CreditGrant, {"amount": 7}),
        (Correction, {"amount": 7}),
        (SpendingLimit, {"credits": 7}),
        (SeatCount, {"count": 7}),
        (TopUp, {"amount": 7}),
        (Purchase, {"amount": Decimal("7.125")}),
        (ZoneChange, {"after": "Asia/Seoul"}),
    )
    refused = []
    for model, change in changes:
        row = model._default_manager.filter(company=acme).first()
        refused.append((model, not written_over(row, change)))

    assert refused == [(model, True) for model, _ in changes]


@pytest.mark.django_db
def test_somebody_else_s_words_stay(acme_alone):
    note = "Ask Zqjane Other or zqjane@globex.example.org."
    people.credits_for(acme_alone, "5")
    CreditGrant.objects.update(reason=note)

    count = written.erase(company=acme_alone, person=PERSON)

    assert count == 0
    assert CreditGrant.objects.get().reason == note


@pytest.mark.django_db
def test_another_company_s_words_stay_where_only_one_erases(acme_alone):
    globex = people.company("Globex")
    people.credits_for(globex, "5")
    CreditGrant.objects.update(reason=f"Ask {ADDRESS} first")

    assert written.count_naming(company=acme_alone, person=PERSON) == 0
    assert written.erase(company=acme_alone, person=PERSON) == 0
    assert written.erase(company=None, person=PERSON) == 1
