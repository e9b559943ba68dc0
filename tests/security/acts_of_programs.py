"""What people decide about keys and background exports, and what a program asks with a key."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.utils import timezone

from credits import api_keys, exports
from credits.identifiers import new_id
from credits.models import ApiKey, ExportJob
from tests.security import seeding
from tests.security.acting import World, act, url
from tests.support import api, exporting

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
