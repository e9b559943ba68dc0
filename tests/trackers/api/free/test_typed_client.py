"""A typed client, written from our OpenAPI document by somebody else's program, does its work.

Generated and used here, with no network but the loopback: every operation is in it, its models
are what the server answers, and an error is a typed one too.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.support import api, conversations, people, processes
from tests.support.conversations import record
from trackers.models import Backfill, Conversation

PACKAGE = "tallystick_client"


@pytest.fixture(scope="module")
def document(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--format", "openapi-json", "--file", str(file))
    return file


@pytest.fixture(scope="module")
def package(document, tmp_path_factory):
    """Generate the client and let it be imported while this module's tests run."""
    folder = tmp_path_factory.mktemp("client")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"),
            *("--path", str(document), "--output-path", str(folder / PACKAGE)),
            "--fail-on-warning",
        ],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def found(name: str):
    return importlib.import_module(f"{PACKAGE}.{name}")


def test_every_operation_is_in_it(document, package):
    asked = {
        operation["operationId"]
        for methods in json.loads(document.read_text())["paths"].values()
        for operation in methods.values()
    }

    made = {file.stem for file in (package / "api").glob("*/*.py")} - {"__init__"}

    assert made == asked
    assert len(made) >= 33


def test_it_reads_sends_and_prices(package, committed):
    acme = people.company(time_zone="UTC")
    people.credits_for(acme, "100")
    tess = api.admin(acme)
    old = timezone.now() - datetime.timedelta(days=20)
    conversations.ingest(acme, *(record(f"h{n}", started_at=old) for n in range(6)))
    tracker = conversations.published(acme, tess)
    key = api.key(acme, by=tess).text
    models = found("models")

    with (
        processes.web_server(committed) as address,
        found("client").AuthenticatedClient(base_url=address, token=key) as client,
        found("client").AuthenticatedClient(base_url=address, token="tsk_no_key") as stranger,
    ):
        balance = found("api.credits_.read_balance").sync(client=client)
        trackers = found("api.trackers.list_trackers").sync(client=client)
        sent = found("api.conversations.ingest_conversations").sync(
            client=client,
            idempotency_key="two",
            body=models.ConversationsIngestion(
                conversations=[call(models, "a"), call(models, "b")]
            ),
        )
        priced = found("api.backfills.start_backfill").sync(
            client=client,
            idempotency_key="priced",
            body=models.BackfillStart(tracker=tracker.pk, dry_run=True),
        )
        refused = found("api.credits_.read_balance").sync(client=stranger)

    assert isinstance(balance, models.Balance)
    assert isinstance(balance.as_of, datetime.datetime)
    assert (balance.available, balance.reserved) == ("100.0", "0.0")
    (shown,) = trackers.items
    assert isinstance(shown, models.Tracker)
    assert shown.id == tracker.pk
    assert shown.state is models.TrackerState.PUBLISHED
    assert shown.version.question == "Did the customer object to the price?"
    assert isinstance(sent, models.IngestedSeveral)
    assert (sent.created, sent.new, sent.scans) == (2, 2, 2)
    assert [item.id for item in sent.items] == [
        Conversation.objects.get(external_id=external_id).pk for external_id in ("a", "b")
    ]
    assert isinstance(priced, models.BackfillStarted)
    assert (priced.estimate.conversations, priced.estimate.credits_) == (6, "3.0")
    assert priced.backfill is None
    assert not Backfill.objects.exists()
    assert isinstance(refused, models.Problem)
    assert refused.code == "unauthorized"


def call(models, external_id: str):
    return models.ConversationSent(
        id=external_id,
        kind=models.SentKind.CALL,
        started_at=timezone.now(),
        duration_seconds=300,
        participants=[models.ParticipantSent(id="c", role=models.SentRole.EXTERNAL)],
        utterances=[models.UtteranceSent(id="u", speaker="c", start=0.0, text="Too expensive.")],
    )
