"""What a client is told before it pays, and where a name says too little."""

from __future__ import annotations

from django.conf import settings

from tests.support import ai_clients, conversations, people
from tests.support.ai_clients import AiClient
from tests.trackers.mcp.test_tools import QUESTION, refusal, said, values
from trackers import reuse


def test_of_deals_that_share_a_name_the_ids_are_told(program, acme, globex):
    conversations.ingest(acme, conversations.record("other", account={"name": "Initech"}))
    name = acme.deals.first().name

    found = refusal(program.call("ask_deal", question=QUESTION, deal=name))

    assert found["code"] == "invalid_parameter"
    for deal in acme.deals.select_related("account"):
        assert f"{deal.pk} (of {deal.account.name})" in found["detail"]


def test_a_reused_answer_is_foretold_and_says_what_it_saved(program, acme, globex):
    reuse.switch(company=acme, is_on=True, by=people.alice(acme))
    about = {"entity_type": "ACCOUNT", "entity": "Globex"}
    values(program.call("ask_account", question=QUESTION, account="Globex"))

    known = program.call("estimate_cost", **about, question=QUESTION)
    other = values(program.call("estimate_cost", **about, question="Who decides?"))
    again = program.call("ask_account", question=QUESTION, account="Globex")

    assert (values(known)["credits"], other["credits"]) == ("0.0", "1.6")
    assert values(known)["reused_at"] is not None
    assert said(known).startswith("This would use 0 credits: the answer of ")
    credits = values(again)["credits"]
    assert (credits["used"], credits["saved"]) == ("0.0", "1.6")
    assert said(again).endswith("98.4 left. An earlier answer, given again, saved 1.6.")


def test_the_server_says_its_version(program):
    async def version(client):
        return client.server_info.version

    assert program.run(version) == settings.VERSION


def test_a_personal_client_that_reads_nothing_is_told_why(program, acme, globex):
    made = ai_clients.connection(acme, person=people.vic(acme), name="Vic's assistant")
    personal = AiClient(program.site, made.made.text, program.mode)
    why = (
        "This client reads only calls and e-mails in which its person, or somebody of their team, "
        "took part."
    )
    of_old = {"period": "CUSTOM_RANGE", "since": "2001-01-01T00:00:00Z"}
    of_old["until"] = "2001-02-01T00:00:00Z"

    nothing = personal.call("ask_account", question=QUESTION, account="Globex")
    shared = program.call("ask_account", question=QUESTION, account="Globex", **of_old)

    asked_before = personal.call("estimate_cost", entity_type="ACCOUNT", entity="Globex")
    by_all = program.call("estimate_cost", entity_type="ACCOUNT", entity="Globex", **of_old)

    answer = values(nothing)
    assert answer["credits"]["used"] == "0.0"
    assert (values(asked_before)["credits"], values(asked_before)["note"]) == ("0.0", why)
    assert said(asked_before).endswith(f". {why}")
    assert values(by_all)["note"] is None
    assert answer["answer"] == f"There is no call or e-mail to read in this period. {why}"
    assert values(shared)["answer"] == "There is no call or e-mail to read in this period."
