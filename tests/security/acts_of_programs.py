"""What people decide about keys and background exports, and what a program asks with a key."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.test import Client
from django.utils import timezone

from credits import api_keys, exports, limits
from credits.identifiers import new_id
from credits.models import ApiKey, ExportJob, SpendingLimit
from tests.security import seeding
from tests.security.acting import World, act, agreed, seen, url
from tests.support import api, conversations, exporting
from trackers import backfills

# Keys


@act("admin:credits_apikey_add", "ADDED")
def make_key(world: World, _: Any) -> Any:
    form = {"id": str(new_id()), "name": "CRM", "scopes": ["balance:read"], "life_days": "90"}
    return world.as_alice.post(url("credits_apikey_add"), form)


@act("admin:credits_integration_add", "ADDED", "ADDED")
def connect_client(world: World, _: Any) -> Any:
    form = {"id": str(new_id()), "client": "CURSOR", "name": "Desk", "context": "SHARED"}
    form |= {"scopes": ["ask"], "life_days": "90"}
    return world.as_alice.post(url("credits_integration_add"), form)


def _key(world: World) -> ApiKey:
    made = api_keys.create(
        company=world.acme,
        name="CRM",
        scopes=["balance:read"],
        by=world.alice,
        now=timezone.now(),
    )
    return made.key


@act("admin:credits_apikey_rotate", "ADDED", "REPLACED", prepare=_key)
def replace_key(world: World, key: ApiKey) -> Any:
    return world.as_alice.post(url("credits_apikey_rotate", key.pk), {"overlap_hours": "24"})


@act("admin:credits_apikey_revoke", "REVOKED", prepare=_key)
def revoke_key(world: World, key: ApiKey) -> Any:
    return world.as_alice.post(url("credits_apikey_revoke", key.pk))


@act(
    "/api/v1/purchases",
    "REQUESTED",
    prepare=lambda world: api.of(world.acme, by=world.alice),
    door="API",
)
def request_by_key(world: World, program: Client) -> Any:
    return program.post(
        "/api/v1/purchases",
        {"amount": "500"},
        "application/json",
        headers={"idempotency-key": "order-118"},
    )


# What a program does to trackers, in the name of the person who made its key


def _with_key(prepare: Any) -> Any:
    return lambda world: (api.of(world.acme, by=world.alice), prepare(world))


def _sent(program: Client, path: str, body: Any = None, method: str = "POST") -> Any:
    return program.generic(
        method,
        f"/api/v1/{path}",
        json.dumps(body or {}),
        "application/json",
        headers={"idempotency-key": str(new_id()), "if-match": "*"},
    )


@act("api_trackers", "ADDED", prepare=_with_key(World.calls), door="API")
def draft_by_key(world: World, made: Any) -> Any:
    body = {"name": "Any competitor", "question": "Did the customer name a competitor?"}
    return _sent(made[0], "trackers", body)


@act("api_tracker", "CHANGED", prepare=_with_key(World.tracker), door="API")
def change_by_key(world: World, made: Any) -> Any:
    program, tracker = made
    return _sent(program, f"trackers/{tracker.pk}", {"name": "Another"}, "PATCH")


def _draft(world: World) -> Any:
    world.calls()
    return conversations.tracker(world.acme)


@act("api_tracker_publish", "PUBLISHED", prepare=_with_key(_draft), door="API")
def publish_by_key(world: World, made: Any) -> Any:
    program, tracker = made
    return _sent(program, f"trackers/{tracker.pk}/publish", {"accept_share": True})


@act("api_tracker_unpublish", "UNPUBLISHED", prepare=_with_key(World.tracker), door="API")
def unpublish_by_key(world: World, made: Any) -> Any:
    program, tracker = made
    return _sent(program, f"trackers/{tracker.pk}/unpublish")


@act("api_backfills", "STARTED", prepare=_with_key(World.tracker), door="API")
def start_by_key(world: World, made: Any) -> Any:
    program, tracker = made
    return _sent(program, "backfills", {"tracker": str(tracker.pk)})


@act("api_backfill_pause", "PAUSED", prepare=_with_key(World.backfill), door="API")
def pause_by_key(world: World, made: Any) -> Any:
    program, backfill = made
    return _sent(program, f"backfills/{backfill.pk}/pause")


def _paused(world: World) -> Any:
    backfill = world.backfill()
    return backfills.pause(backfill_id=backfill.pk, by=world.alice, now=timezone.now())


@act("api_backfill_resume", "RESUMED", prepare=_with_key(_paused), door="API")
def resume_by_key(world: World, made: Any) -> Any:
    program, backfill = made
    return _sent(program, f"backfills/{backfill.pk}/resume")


@act("api_backfill_stop", "STOPPED", prepare=_with_key(World.backfill), door="API")
def stop_by_key(world: World, made: Any) -> Any:
    program, backfill = made
    return _sent(program, f"backfills/{backfill.pk}/stop")


SENT = {
    "id": "crm-1",
    "kind": "email",
    "started_at": "2026-11-01T08:00:00Z",
    "participants": [{"id": "p", "role": "external"}],
    "utterances": [{"id": "u", "speaker": "p", "text": "That is too expensive."}],
}


@act("api_conversations", "IMPORTED", prepare=_with_key(lambda world: None), door="API")
def send_by_key(world: World, made: Any) -> Any:
    return _sent(made[0], "conversations", {"conversation": SENT})


@act("api_conversations_bulk", "IMPORTED", prepare=_with_key(lambda world: None), door="API")
def send_many_by_key(world: World, made: Any) -> Any:
    return _sent(made[0], "conversations/bulk", {"conversations": [SENT]})


# Limits


def _limited(world: World) -> SpendingLimit:
    return limits.set(
        company=world.acme,
        subject=limits.of_company(world.acme),
        window="DAY",
        credits=Decimal(10),
        by=world.alice,
    )


@act("admin:credits_spendinglimit_add", "ADDED")
def set_limit(world: World, _: Any) -> Any:
    form = {"subject": "FEATURE:ASK", "window": "MONTH", "credits": "500"}
    return agreed(world.as_alice, url("credits_spendinglimit_add"), **form)


@act("admin:credits_spendinglimit_set", "CHANGED", prepare=_limited)
def change_limit(world: World, limit: SpendingLimit) -> Any:
    return agreed(world.as_alice, url("credits_spendinglimit_set", limit.pk), credits="20")


@act("admin:credits_spendinglimit_end", "CANCELLED", prepare=_limited)
def end_limit(world: World, limit: SpendingLimit) -> Any:
    return seen(world.as_alice, url("credits_spendinglimit_end", limit.pk))


def _program(world: World) -> Client:
    return api.of(world.acme, by=world.alice)


@act("/api/v1/limits", "ADDED", prepare=_program, door="API")
def set_limit_by_key(world: World, program: Client) -> Any:
    return program.post(
        "/api/v1/limits",
        {"subject": "FEATURE", "ref": "ASK", "window": "DAY", "credits": "500"},
        "application/json",
        headers={"idempotency-key": "limit-1"},
    )


@act(
    "/api/v1/limits/<uuid:id>/end",
    "CANCELLED",
    prepare=lambda world: (_program(world), _limited(world)),
    door="API",
)
def end_limit_by_key(world: World, prepared: Any) -> Any:
    program, limit = prepared
    return program.post(
        f"/api/v1/limits/{limit.pk}/end",
        {},
        "application/json",
        headers={"idempotency-key": "limit-2"},
    )


# Background exports


def _queued(world: World) -> ExportJob:
    return exporting.asked_for(world.acme, world.alice, now=timezone.now())


def _cancelled(world: World) -> ExportJob:
    return exports.cancel(job_id=_queued(world).pk, by=world.alice, now=timezone.now())


@act("admin:credits_exportjob_cancel", "CANCELLED", prepare=_queued)
def cancel_export(world: World, job: ExportJob) -> Any:
    return world.as_alice.post(url("credits_exportjob_cancel", job.pk))


@act("admin:credits_exportjob_rerun", "REQUESTED", prepare=_cancelled)
def run_again(world: World, job: ExportJob) -> Any:
    return world.as_alice.post(url("credits_exportjob_rerun", job.pk))


@act(
    "admin:credits_exportjob_download",
    "EXPORTED",
    prepare=lambda world: seeding.with_file(_queued(world)),
    changes_rows=False,
)
def download_export(world: World, job: ExportJob) -> Any:
    answer = world.as_alice.get(url("credits_exportjob_download", job.pk))
    assert answer.status_code != 200 or b"Usage time" in answer.getvalue()
    return answer
