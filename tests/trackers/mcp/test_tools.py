"""What the tools answer, what they cost, and what refuses them."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import wordllama
from django.db import connection
from django.utils import timezone
from tokenizers import Tokenizer

from credits import balances, reconciliation
from credits.models import Integration, LedgerEntry, Reservation, Scope, UsageEvent
from tests.support import ai_clients, briefs, conversations, people
from tests.support.ai_clients import AiClient
from trackers.mcp import tools
from trackers.models import AskRequest, TeamMember

TOKENS_MAX = 1500
WORDS_MAX = 60
QUESTION = "Is that too expensive for you?"


def values(result):
    assert not result.is_error, result.content
    return result.structured_content


def refusal(result):
    """Return why a call was refused, but for the id that each call has of its own."""
    assert result.is_error, result.content
    told = dict(result.structured_content)
    assert told.pop("request_id")
    return told


def said(result):
    return result.content[0].text


def test_the_list_of_tools_is_short_and_states_todays_prices(program):
    listed = program.tools()
    text = json.dumps(
        [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in listed],
        ensure_ascii=False,
        separators=(",", ":"),  # As it is sent.
    )
    folder = Path(wordllama.__file__).parent / "tokenizers"
    tokenizer = Tokenizer.from_file(str(folder / "l2_supercat_tokenizer_config.json"))
    tokenizer.no_truncation()

    assert [tool.name for tool in listed] == [tool.name for tool in tools.TOOLS]
    assert len(tokenizer.encode(text).ids) <= TOKENS_MAX
    assert len(text) / 3.5 <= TOKENS_MAX
    assert max(len(tool.description.split()) for tool in listed) <= WORDS_MAX
    for tool in listed:
        is_charged = tool.name in ("ask_account", "ask_deal", "generate_brief")
        assert tool.annotations.read_only_hint is not is_charged
        if is_charged:
            assert "1.0 credits a call" in tool.description
            assert tool.meta["tallystick/pricing"] | {"web_searches": "5.0"} == {
                "unit": "credit",
                "calls": "1.0",
                "short_calls": "0.5",
                "emails": "0.1",
                "web_searches": "5.0",
            }
        else:
            assert "Free" in tool.description
            assert tool.meta is None


def test_an_account_is_asked_about_for_its_price(program, acme, globex):
    result = program.call("ask_account", question=QUESTION, account="Globex")

    found = values(result)
    assert found["credits"] == {
        "used": "1.6",
        "remaining": "98.4",
        "saved": "0.0",
        "breakdown": {"calls": 2, "emails": 1, "web_searches": 0},
    }
    assert found["cached"] is False
    assert "expensive" in found["citations"][0]["quote"]
    assert said(result).splitlines()[-1] == "Used 1.6 credits (2 calls, 1 email); 98.4 left."
    assert found["answer"] in said(result)
    event = UsageEvent.objects.get(company=acme)
    assert (event.action, event.amount, event.request_count) == ("MCP_REQUEST", Decimal("1.6"), 1)
    assert event.integration_ref == Integration.objects.get(company=acme).pk
    assert len(event.request_id) == 36
    assert list(reconciliation.check()) == []


def test_a_deal_is_asked_about_by_its_id(program, acme, globex):
    deal = acme.deals.get()

    found = values(program.call("ask_deal", question=QUESTION, deal=str(deal.pk)))

    assert found["credits"]["used"] == "1.6"
    assert AskRequest.objects.get(company=acme).deal_id == deal.pk


def test_a_brief_is_run_and_each_section_charged(program, acme, globex):
    alice = people.alice(acme)
    briefs.brief(acme, alice, briefs.RISKS, briefs.PRICES, briefs.NEWS)
    call = {"brief": "account review", "entity": "Globex"}
    about = {"entity_type": "ACCOUNT", "entity": "Globex", "brief": "Account review"}
    estimate = values(program.call("estimate_cost", **about))

    result = program.call("generate_brief", **call, idempotency_key="brief 1")
    again = program.call("generate_brief", **call, idempotency_key="brief 1")

    found = values(result)
    assert estimate["credits"] == "3.2"
    assert found["credits"] == {
        "used": "3.2",
        "remaining": "96.8",
        "saved": "0.0",
        "breakdown": {"calls": 4, "emails": 2, "web_searches": 0},
    }
    assert [(one["title"], one["credits"]) for one in found["sections"]] == [
        ("Open risks", "1.6"),
        ("Prices", "1.6"),
        ("News", "0.0"),
    ]
    assert found["sections"][2]["reason"].startswith("No web search is set up")
    # The built-in analyzer quotes: without the words there would be nothing to read.
    price = found["sections"][1]["citations"][0]
    assert price["quote"] == "That is too expensive for us."
    assert f"- “{price['quote']}” (" in said(result)
    assert said(result).splitlines()[-1] == "Used 3.2 credits (4 calls, 2 emails); 96.8 left."
    assert values(again) == found
    actions = UsageEvent.objects.filter(company=acme, amount__gt=0).values_list("action", flat=True)
    assert list(actions) == ["MCP_REQUEST", "MCP_REQUEST"]


def test_a_brief_that_is_no_program_s_to_run_is_refused(program, acme, globex):
    alice = people.alice(acme)
    briefs.brief(acme, alice, briefs.RISKS, published=False, name="Draft")
    briefs.brief(acme, alice, briefs.RISKS, name="Deals", entity_type="DEAL")
    beta = people.company("Beta")
    theirs = briefs.brief(beta, people.alice(beta), briefs.RISKS, name="canary-of-beta")

    draft = program.call("generate_brief", brief="Draft", entity="Globex")
    foreign = program.call("generate_brief", brief=str(theirs.pk), entity="Globex")
    unknown = program.call("generate_brief", brief="Nothing", entity="Globex")
    about_an_account = program.call(
        "estimate_cost", brief="Deals", entity="Globex", entity_type="ACCOUNT"
    )

    assert refusal(draft) == refusal(foreign) == refusal(unknown)
    assert refusal(unknown)["code"] == "not_found"
    assert "canary" not in str(foreign)
    assert refusal(about_an_account)["code"] == "invalid_parameter"
    assert said(about_an_account) == ("brief: “Deals” is about one deal; name one of that type.")


def test_nothing_to_read_costs_nothing(program, globex):
    span = {"period": "CUSTOM_RANGE", "since": "2020-01-01T00:00:00Z", "until": "2020-02-01"}

    found = values(program.call("ask_account", question=QUESTION, account="Globex", **span))

    assert found["credits"]["used"] == "0.0"
    assert found["credits"]["remaining"] == "100.0"


def test_an_estimate_is_free_and_what_is_then_charged(program, acme, globex):
    estimate = values(program.call("estimate_cost", entity_type="ACCOUNT", entity="Globex"))

    assert estimate == {
        "credits": "1.6",
        "low": "1.6",
        "high": "1.6",
        "calls": 2,
        "emails": 1,
        "web_searches": 0,
        "available_before": "100.0",
        "available_after": "98.4",
        "enough": True,
        "reused_at": None,
        "note": None,
        "limit": None,
    }
    assert not UsageEvent.objects.filter(company=acme).exists()
    asked = values(program.call("ask_account", question=QUESTION, account="Globex"))
    assert asked["credits"]["used"] == estimate["credits"]


def test_the_balance_is_free(program, acme):
    result = program.call("get_credit_balance")

    found = values(result)
    del found["as_of"]
    assert found == {"remaining": "100.0", "reserved": "0.0", "available": "100.0"}
    assert said(result) == "100.0 credits can be spent now."


def test_at_zero_a_charged_tool_is_an_error_with_rest_s_code_and_free_ones_go_on(program, globex):
    poor = people.company()
    people.credits_for(poor, "1")
    conversations.ingest(poor, conversations.record("long", duration_seconds=1200))
    conversations.ingest(poor, conversations.record("short"))
    client = AiClient(program.site, ai_clients.connection(poor).made.text, program.mode)

    result = client.call("ask_account", question=QUESTION, account="Globex")

    found = refusal(result)
    assert {name: found[name] for name in ("code", "status", "required", "available")} == {
        "code": "insufficient_credits",
        "status": 402,
        "required": "1.5",
        "available": "1.0",
    }
    assert (found["shortfall"], found["limit_source"]) == ("0.5", "company_pool")
    assert said(result) == found["detail"]
    assert "retry_after_seconds" not in found
    estimate = values(client.call("estimate_cost", entity_type="ACCOUNT", entity="Globex"))
    assert (estimate["enough"], estimate["available_after"]) == (False, "-0.5")
    assert values(client.call("get_credit_balance"))["available"] == "1.0"
    assert not AskRequest.objects.filter(company=poor).exists()


def test_max_credits_refuses_before_any_work(program, acme, globex):
    result = program.call("ask_account", question=QUESTION, account="Globex", max_credits="1.5")

    found = refusal(result)
    assert (found["code"], found["required"], found["max_credits"]) == (
        "max_credits_exceeded",
        "1.6",
        "1.5",
    )
    assert not Reservation.objects.filter(company=acme).exists()
    enough = program.call("ask_account", question=QUESTION, account="Globex", max_credits="1.6")
    assert values(enough)["credits"]["used"] == "1.6"


def test_the_same_call_again_is_charged_again_unless_it_has_the_same_key(program, acme, globex):
    call = {"question": QUESTION, "account": "Globex"}
    first = values(program.call("ask_account", **call, idempotency_key="call 1"))

    again = values(program.call("ask_account", **call, idempotency_key="call 1"))
    other = values(program.call("ask_account", **call))
    conflict = program.call(
        "ask_account", **(call | {"question": "Why?"}), idempotency_key="call 1"
    )

    assert again["answer"] == first["answer"]
    assert again["credits"]["remaining"] == "98.4"
    assert other["credits"] == first["credits"] | {"remaining": "96.8"}
    assert refusal(conflict)["code"] == "idempotency_key_reused"
    assert AskRequest.objects.filter(company=acme).count() == 2


def test_32_at_once_with_one_key_have_one_effect(program, acme, globex):
    results = program.together(
        32, "ask_account", question=QUESTION, account="Globex", idempotency_key="once"
    )

    answers = [one.structured_content for one in results if not one.is_error]
    codes = {one.structured_content["code"] for one in results if one.is_error}
    assert len(results) == 32
    assert codes <= {"idempotency_in_flight"}
    assert len({one["answer"] for one in answers}) == 1
    assert AskRequest.objects.filter(company=acme).count() == 1
    assert LedgerEntry.objects.filter(company=acme, kind="CONSUMED").count() == 1
    assert balances.now(company=acme).available == Decimal("98.4")


def test_a_personal_client_reads_what_its_person_or_their_team_took_part_in(program, acme, globex):
    vic = people.vic(acme)
    TeamMember.objects.create(company=acme, email=vic.email, team=None)
    conversations.ingest(
        acme,
        conversations.record(
            "apac",
            team="APAC Sales",
            owner="lee@acme.example",
            participants=[
                {"id": "r", "name": "Lee", "email": "lee@acme.example", "role": "internal"},
                {"id": "v", "name": "Vic", "email": vic.email, "role": "internal"},
                {"id": "c", "name": "Carl", "email": "carl@globex.example", "role": "external"},
            ],
            utterances=[{"id": "u0", "speaker": "c", "text": "Your price is a canary-of-apac."}],
        ),
    )
    made = ai_clients.connection(acme, person=vic, name="Vic's assistant")
    personal = AiClient(program.site, made.made.text, program.mode)
    call = {"question": "What about the price?", "account": "Globex"}

    mine = values(personal.call("ask_account", **call))
    everything = values(program.call("ask_account", **call))

    assert mine["credits"]["breakdown"] == {"calls": 1, "emails": 0, "web_searches": 0}
    assert {one["title"] for one in mine["citations"]} == {"Call apac"}
    assert everything["credits"]["breakdown"] == {"calls": 3, "emails": 1, "web_searches": 0}
    estimate = values(personal.call("estimate_cost", entity_type="ACCOUNT", entity="Globex"))
    assert estimate["calls"] == 1
    # The person's, not that of who made the key.
    event = UsageEvent.objects.get(company=acme, integration_ref=made.integration.pk)
    assert event.user_ref == vic.public_id


def test_a_personal_client_is_not_given_an_answer_made_from_more(program, acme, globex):
    made = ai_clients.connection(acme, person=people.vic(acme), name="Vic's assistant")
    personal = AiClient(program.site, made.made.text, program.mode)
    call = {"question": QUESTION, "account": "Globex", "idempotency_key": "shared"}
    program.call("ask_account", **call)

    result = personal.call("ask_account", **call)

    assert refusal(result)["code"] == "idempotency_key_reused"
    assert "expensive" not in said(result)


def test_another_company_s_account_is_like_none(program, acme, globex):
    other = people.company("Beta")
    conversations.ingest(other, conversations.record("theirs", account={"name": "canary-of-beta"}))
    theirs = other.accounts.get()

    by_id = program.call("ask_account", question=QUESTION, account=str(theirs.pk))
    by_name = program.call("ask_account", question=QUESTION, account="canary-of-beta")
    estimate = program.call("estimate_cost", entity_type="ACCOUNT", entity=str(theirs.pk))
    nobody = program.call("ask_account", question=QUESTION, account="Nobody Inc")

    assert refusal(by_id) == refusal(by_name) == refusal(estimate) == refusal(nobody)
    assert refusal(nobody)["code"] == "not_found"
    assert "canary" not in str([by_id, by_name, estimate])


def test_a_tool_needs_its_scope(program, acme, globex):
    made = ai_clients.connection(acme, scopes=(Scope.BALANCE_READ,), name="Dashboard").made
    reader = AiClient(program.site, made.text, program.mode)

    result = reader.call("ask_account", question=QUESTION, account="Globex")

    assert refusal(result)["code"] == "missing_scope"
    assert refusal(result)["required_scope"] == "ask"
    assert values(reader.call("get_credit_balance"))["available"] == "100.0"


def test_an_unknown_tool_is_refused_by_name(program, acme):
    result = program.call("ask_acount")

    assert refusal(result)["code"] == "not_found"
    assert said(result).endswith("Did you mean “ask_account”?")


def test_connections_to_the_database_stay_as_many_after_200_calls(program, acme):
    def count() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            )
            return cursor.fetchone()[0]

    program.call("get_credit_balance")
    before = count()

    for _ in range(10):
        results = program.together(20, "get_credit_balance")
        assert not any(one.is_error for one in results)

    assert count() <= before


def test_the_longest_question_that_is_allowed_is_asked(program, globex):
    found = values(program.call("ask_account", question="Why? " * 400, account="globex"))

    assert found["credits"]["used"] == "1.6"


def test_what_was_asked_stands_in_the_usage_report(served, acme, globex):
    made = ai_clients.connection(acme, name="Deal desk")
    values(
        AiClient(served, made.made.text).call("ask_deal", question=QUESTION, deal="Globex robots")
    )

    event = UsageEvent.objects.get(company=acme)

    assert event.integration_ref == made.integration.pk
    assert event.occurred_at > timezone.now() - timedelta(minutes=5)
