"""What the demo's people say and when: each line once, in office hours."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from config.demo import dataset, phrases, rhythm, storytelling
from config.demo.dataset import Plan
from tests.config.test_demo_seed import BERLIN, at


def test_no_account_hears_an_exchange_again_before_all_others():
    accounts = storytelling.accounts("northwind")
    stories = storytelling.tell(
        seed=1, count=900, facts=dataset.facts(), accounts=accounts, prefix="nw"
    )

    by_account = Counter(
        (story["account"]["name"], story["title"])
        for story in stories
        if story["kind"] == "email" and story["account"]
    )
    texts = Counter("".join(turn["text"] for turn in story["utterances"]) for story in stories)

    assert max(by_account.values()) <= 4
    assert max(texts.values()) == 1


def test_every_slot_and_category_is_known():
    accounts = storytelling.accounts("northwind")
    stories = storytelling.tell(
        seed=3, count=3000, facts=dataset.facts(), accounts=accounts, prefix="nw", fair=(0.2, 0.8)
    )

    said = " ".join(
        story["title"] + "".join(turn["text"] for turn in story["utterances"]) for story in stories
    )

    assert not set("<>{}|") & set(said)
    written = [exchange for found in phrases.exchanges().values() for exchange in found]
    lines = {line for exchange in written for line in exchange.lines}
    assert {line.who for line in lines} == {"R", "C", "D"}
    assert all(line.text for line in lines)
    assert len(written) > 300


@pytest.mark.parametrize(
    "moment", ["2026-11-24 03:13", "2026-11-24 08:31", "2026-11-24 09:31", "2026-11-24 18:00"]
)
def test_people_talk_in_office_hours_whenever_the_demo_is_started(moment):
    now = at(moment)
    today = rhythm.last_day(now=now, zone=BERLIN)

    records = dataset.conversations(plan=Plan(), today=today, zone=BERLIN, now=now)

    starts = [record.started_at.astimezone(BERLIN) for record in records]
    assert len(starts) == 1000
    assert {one.strftime("%H:%M") for one in starts if not "08:30" <= f"{one:%H:%M}" < "17:40"} == (
        set()
    )
    mails = [record.started_at for record in records if record.kind == "email"]
    assert len({f"{one:%Y-%m-%d %H:%M}" for one in mails}) == len(mails)
    assert (
        max(starts).date()
        == today
        == at("2026-11-24 00:00").date() - timedelta(days=1 if moment < "2026-11-24 09:30" else 0)
    )
