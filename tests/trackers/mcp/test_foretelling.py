"""What a client is told before it pays, and where a name says too little."""

from __future__ import annotations

from django.conf import settings

from tests.support import conversations, people
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
