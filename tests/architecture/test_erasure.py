"""Erasure reaches every table, also those that are added later (SPEC §10)."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from simple_history.models import HistoricalChanges

from trackers import traces
from trackers.models import Conversation, Participant, Quote, Scan, Utterance

APPS = ("credits", "trackers", "billing", "config")
# Tables with words that no key leads to from a conversation: why they hold none of them, or what
# erases those. A new table is reached by its key, or says its reason here.
REASONS = {
    "trackers.team": "names of the company's own teams",
    "trackers.teammember": "made unknown when nothing names it any more (erasure.py)",
    "trackers.contact": "made unknown when nobody of it takes part any more (erasure.py)",
    "trackers.askrequest": "erased with what it cites, is about or names (answers.py)",
    "trackers.brief": "names of what is put together",
    "trackers.briefsection": "what somebody asks",
    "trackers.briefrun": "facts go with what was read, or is named (brief_erasure.py)",
    "trackers.briefresult": "what was said goes with what was read, or is named (brief_erasure.py)",
    "trackers.briefpage": "pages of the web go with whom they are about (brief_erasure.py)",
    "trackers.customeraccount": "names of organizations",
    "trackers.deal": "names of opportunities of organizations",
    "trackers.tracker": "copies go (copies.py, passages.py), and whom it names (mentions.py)",
    "trackers.historicaltracker": "as the tracker's own words, and reasons of changes (copies.py)",
    "trackers.trackerversion": "what it quotes and whom it names go (passages.py, mentions.py)",
    "trackers.trackerfilter": "account types and deal stages",
    "trackers.suggestion": "account types, deal stages, names of teams",
    "trackers.narrowing": "kinds, account types, deal stages, ids of teams and members",
    "trackers.preview": "a digest of what was asked",
    "trackers.backfill": "why it ended, said by the product",
    "trackers.importfile": "removed with every erasure (copies.py)",
    "trackers.retention": "a key of random bytes",
    "trackers.llmattempt": "names of models, ids of requests at their servers; no text sent",
    "trackers.llmendpoint": "names of models",
    "credits.user": "a person's own; removed by removal.py",
    "credits.company": "a company's own",
    "credits.signinlink": "digests of secrets",
    "credits.audittext": "lines that say the erased are blanked (copies.py)",
    "credits.auditevent": "codes and opaque ids",
    "credits.creditgrant": "why vendor staff gave credits",
    "credits.creditpool": "a digest of the ledger",
    "credits.correction": "why vendor staff corrected",
    "credits.ledgerentry": "a digest of the ledger",
    "credits.usageevent": "names of features and opaque ids",
    "credits.usagesum": "names of features",
    "credits.reservation": "names of features and opaque ids",
    "credits.idempotencyrecord": "answers go that say the erased, or of conversations (copies.py)",
    "credits.exportjob": "reports of credits: names of features and opaque ids",
    "credits.jobrun": "what a job did, in numbers",
    "credits.alertmail": "why a mail was not sent, in the product's words",
    "credits.limitmail": "why a mail was not sent, in the product's words",
    "credits.apikey": "names of keys",
    "credits.integration": "names of integrations",
    "credits.spendinglimit": "names of features, integrations and keys",
    "credits.ratecard": "notes on prices",
    "billing.allocation": "zones",
    "billing.allocationline": "names of seat types",
    "billing.purchase": "orders and what staff wrote on them",
    "billing.seatcount": "notes on seats",
    "billing.seattype": "names of seat types",
    "billing.topup": "why staff topped up",
    "billing.zonechange": "zones",
}


def with_words():
    return {
        model._meta.label_lower: model
        for model in apps.get_models()
        if model._meta.app_label in APPS
        and any(traces.holds_words(field) for field in model._meta.concrete_fields)
    }


def test_every_table_with_words_is_erased_or_has_its_reason():
    reached = {trace.model._meta.label_lower for trace in traces.traces()}
    kept = {model._meta.label_lower for model in traces.KEPT}

    assert set(with_words()) - reached - kept - REASONS.keys() == set()
    assert REASONS.keys() & (reached | kept) == set()
    assert REASONS.keys() - set(with_words()) == set()


def test_what_points_to_a_conversation_is_deleted_before_what_it_points_to():
    order = [trace.model for trace in traces.traces()]

    assert {Quote, Utterance, Participant} <= set(order)
    for place, model in enumerate(order):
        earlier = {field.remote_field.model for field in traces._keys(model)} & set(order[:place])
        assert earlier - {model} == set(), model


def test_no_history_of_conversations_is_kept_without_being_reached():
    reached = {trace.model for trace in traces.traces()}
    words = {Conversation, Participant, Utterance, Scan, Quote} | reached
    histories = {
        model
        for model in apps.get_models()
        if issubclass(model, HistoricalChanges) and model.instance_type in words
    }

    assert histories <= reached


def test_only_the_fields_of_the_specification_stay_of_a_conversation():
    assert {
        "id",
        "company",
        "external_id",
        "kind",
        "started_at",
        "duration_seconds",
        "arrived_at",
        "text_revision",
        "erased_at",
    } == traces.CONVERSATION_KEEPS
    for name in traces.blank_conversation():
        assert name not in traces.CONVERSATION_KEEPS


@pytest.mark.django_db
def test_what_is_deleted_is_found_by_an_index():
    """Without one, erasing a conversation reads whole tables, once for each of its rows."""
    deleted = {trace.model for trace in traces.traces()}
    indexed = _first_columns()
    missing = [
        f"{trace.model._meta.label}.{field.name}"
        for trace in traces.traces()
        for field in traces._keys(trace.model)
        if field.remote_field.model in deleted | {Conversation, Scan}
        # A key within another is found by the column of that one.
        and (trace.model._meta.db_table, _column(trace.model, field)) not in indexed
    ]

    assert missing == []


def _column(model, field) -> str:
    within = getattr(field, "within", "")
    return model._meta.get_field(within).column if within else field.column


@pytest.mark.django_db
def test_the_planner_keeps_no_statistics_of_what_can_be_erased():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attrelid::regclass::text, attname FROM pg_attribute"
            " WHERE attnum > 0 AND attstattarget = 0"
        )
        without = set(cursor.fetchall())
    words = {
        (trace.model._meta.db_table, field.column)
        for trace in traces.traces()
        for field in trace.model._meta.concrete_fields
        if traces.holds_words(field)
    }

    assert words - without == set(), "see credits/statistics.py, keep_no_statistics()"


def _first_columns() -> set[tuple[str, str]]:
    """Return table and column of what an index of all rows begins with."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indrelid::regclass::text, a.attname FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " WHERE i.indpred IS NULL"
        )
        return set(cursor.fetchall())
