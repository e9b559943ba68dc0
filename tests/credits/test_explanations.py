"""Explaining any number: the chain behind an entry or a use, every figure literal."""

from __future__ import annotations

import io
import json
import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from credits import charging, explained, explanations, grants, price_lines
from credits.explanations import Piece, Sources
from credits.ledger import Use
from credits.models import Integration, LedgerEntry, UsageEvent
from credits.rating import Work
from tests.credits.conftest import NOON
from tests.support import api, people, statement
from tests.support.people import days

WHY = "The answer was about another deal"


@pytest.fixture
def asked(acme, clock):
    """A request of 10 calls and 26 e-mails: 15 held, 12.6 charged to two lots.

    Entries: #1 Lasting +10, #2 Short +4, #3 the charge.
    """
    statement.lot(acme, "Lasting", "20")
    statement.lot(acme, "Short", "4", expires_at=NOON + days(1))
    desk = Integration.objects.create(company=acme, name="CRM desk", kind="API")
    use = Use(
        "ASK",
        "Ask about an account",
        None,
        "API_REQUEST",
        integration_ref=desk.pk,
        request_id="request-1",
    )
    held = charging.reserve(company=acme, amount=Decimal(15), use=use, rates=people.rates())
    clock.advance(timedelta(seconds=4))
    work = Work(long_calls=10, emails_with_text=26, request_count=1)
    return charging.capture(reservation=held, work=work, rates=people.rates())


def explain(company, sequence):
    return explanations.entry(company=company, sequence=sequence, with_words=True)


def figures(found):
    return {
        "lots": [(one.grant.reference, one.amount) for one in found.drawdowns],
        "holds": [(one.grant.reference, one.amount) for one in found.holds],
    }


def test_a_charge_is_explained_from_its_price_to_its_lots(acme, asked):
    found = explain(acme, 3)

    # Ten calls and 26 e-mails come to 12.6 in one way only: all long, all with text.
    assert found.arithmetic == "10 calls × 1.0 + 26 e-mails × 0.1 = 12.6"
    assert found.usage == asked
    assert (found.reservation.amount, found.reservation.captured, found.released) == (
        Decimal(15),
        Decimal("12.6"),
        Decimal("2.4"),
    )
    assert figures(found) == {
        "lots": [("Short", Decimal(-4)), ("Lasting", Decimal("-8.6"))],
        "holds": [("Short", Decimal(4)), ("Lasting", Decimal(11))],
    }
    assert found.breaches() == []


def test_what_those_who_did_the_work_know_makes_the_sum(asked):
    rates = {
        "CALL_LONG": Decimal(1),
        "CALL_SHORT": Decimal("0.5"),
        "EMAIL": Decimal("0.1"),
        "WEB_SEARCH": Decimal(5),
    }
    known = Work(long_calls=10, emails_with_text=26)

    lines = price_lines.lines_of(asked, rates, known)

    assert [(str(line), line.amount) for line in lines] == [
        ("10 calls × 1.0", Decimal(10)),
        ("26 e-mails × 0.1", Decimal("2.6")),
    ]


def test_what_they_know_counts_only_if_it_comes_to_what_was_charged(acme):
    statement.lot(acme, "Lot", "20")
    was = Work(long_calls=1, calls_without_text=1)
    event = charging.charge(company=acme, use=statement.use(), work=was, rates=people.rates())

    def told(work):
        return [str(line) for line in price_lines.lines_of(event, people.rates().amounts, work)]

    assert told(was) == ["1 call × 1.0", "1 call without text × 0.0"]
    assert told(Work(short_calls=2)) == ["2 calls × 0.5"]
    # Another price, another count: the conversations have changed since.
    assert told(Work(long_calls=2)) == []
    assert told(Work(long_calls=1)) == []


@pytest.mark.parametrize(
    ("work", "arithmetic"),
    [
        (Work(long_calls=2), "2 calls × 1.0 = 2.0"),
        (Work(emails_with_text=3), "3 e-mails × 0.1 = 0.3"),
        (Work(emails_with_text=1), "1 e-mail × 0.1 = 0.1"),
        (
            Work(emails_with_text=3, emails_without_text=2),
            "3 e-mails × 0.1 + 2 e-mails without text × 0.0 = 0.3",
        ),
        (Work(web_searches=2), "2 web searches × 5.0 = 10.0"),
        # One long call and one without text, or two short ones: nobody knows any more.
        (Work(long_calls=1, calls_without_text=1), "1.0"),
    ],
)
def test_items_are_told_from_the_amount_if_only_one_tally_comes_to_it(acme, work, arithmetic):
    statement.lot(acme, "Lot", "20")
    charging.charge(company=acme, use=statement.use(), work=work, rates=people.rates())

    assert explain(acme, 2).arithmetic == arithmetic


def test_a_use_of_0_is_explained_without_an_entry(acme):
    statement.lot(acme, "Lot", "20")
    event = charging.charge(
        company=acme,
        use=Use("ASK", "Ask", None, "MANUAL"),
        work=Work(long_calls=2, emails_with_text=3),
        rates=people.rates(),
        is_free=True,
    )

    found = explanations.usage(company=acme, usage_id=event.pk, with_words=True)

    assert (found.entry, found.reservation, found.drawdowns) == (None, None, ())
    assert found.arithmetic == "2 calls × 0.0 + 3 e-mails × 0.0 = 0.0"
    assert found.breaches() == []


def test_a_refund_leads_back_to_the_use_and_the_use_to_its_refunds(acme, asked, vera):
    charging.refund(usage_event=asked, amount=Decimal(9), by=vera, reason=WHY)

    refund, charge = explain(acme, 4), explain(acme, 3)

    assert (refund.usage, refund.corrected.sequence) == (asked, 3)
    assert (refund.correction.reason, refund.correction.by) == (WHY, vera)
    assert figures(refund)["lots"] == [("Lasting", Decimal("8.6")), ("Short", Decimal("0.4"))]
    assert [entry.sequence for entry in charge.corrections] == [4]
    assert charge.refunded == refund.refunded == Decimal(9)
    assert (refund.breaches(), charge.breaches()) == ([], [])


def test_an_expiry_names_its_lot_and_a_late_release_its_reservation(acme, clock):
    statement.lot(acme, "Short", "4", expires_at=NOON + timedelta(minutes=10))
    held = statement.reserve(acme, "1")
    clock.advance(timedelta(minutes=11))
    charging.release(reservation=held)

    expired, released = explain(acme, 2), explain(acme, 3)

    assert (expired.entry.cause, expired.entry.amount, expired.grant.reference) == (
        "EXPIRY",
        Decimal(-3),
        "Short",
    )
    assert (released.entry.cause, released.reservation, released.released) == (
        "RELEASE",
        held,
        Decimal(1),
    )
    assert (expired.breaches(), released.breaches()) == ([], [])


def test_a_void_and_an_adjustment_name_who_did_it_and_why(acme, vera):
    lot = statement.lot(acme, "Lot", "4")
    grants.void(grant=lot, by=vera, reason="Bought by mistake, as agreed")

    found = explain(acme, 2)

    assert (found.entry.kind, found.correction.kind, found.grant) == ("VOIDED", "VOIDED", lot)
    assert "Voided by" in "\n".join(explained.lines(found))
    assert "Bought by mistake, as agreed" in "\n".join(explained.lines(found))


def test_every_entry_of_a_busy_ledger_adds_up(books):
    for entry in LedgerEntry.objects.select_related("company"):
        found = explain(entry.company, entry.sequence)
        assert found.breaches() == []
        assert sum(one.amount for one in found.drawdowns) == entry.amount
    for event in UsageEvent.objects.select_related("company"):
        found = explanations.usage(company=event.company, usage_id=event.pk, with_words=False)
        assert found.breaches() == []
    assert LedgerEntry.objects.count() >= 6


def test_another_company_s_numbers_are_not_found(acme, asked):
    globex = people.company("Globex")

    with pytest.raises(explanations.NoSuchEntry):
        explain(globex, 3)
    with pytest.raises(explanations.NoSuchUsage):
        explanations.usage(company=globex, usage_id=asked.pk, with_words=True)


def test_the_command_prints_the_chain(acme, asked, vera):
    charging.refund(usage_event=asked, amount=Decimal(9), by=vera, reason=WHY)

    printed = run("3", acme)

    lot = {one.reference: one for one in acme.grants.all()}
    assert printed[0] == ("Entry: #3 Used 12.6 on 2 Mar 2026 12:00 UTC: 24.0 before, 11.4 after.")
    assert (
        "For what: Ask about an account (AI Ask Anything, API request), 2 Mar 2026 12:00 UTC."
        in (printed)
    )
    assert "  It read 10 calls, 26 e-mails. Use " + f"{asked.pk}." in printed
    assert any(
        line.startswith("Held first: 15.0 on 2 Mar 2026 12:00 UTC; charged, ")
        and "12.6 charged, 2.4 released." in line
        for line in printed
    )
    assert f"Lots: 4.0 from Purchase grant “Short” {lot['Short'].pk}" in "\n".join(printed)
    assert f"  8.6 from Purchase grant “Lasting” {lot['Lasting'].pk}" in "\n".join(printed)
    assert any(
        line.endswith(
            ": call longer than 10 minutes 1.0, call of 10 minutes or less 0.5, "
            "e-mail analysed 0.1, web search in a brief 5.0."
        )
        for line in printed
    )
    assert "Corrections: Entry #4: refunded 9.0, 2 Mar 2026 12:00 UTC." in printed
    assert "Who: Through the integration “CRM desk”." in printed
    assert printed[-1] == "All figures agree."


def test_no_sign_is_said_twice(acme, asked, vera):
    charging.refund(usage_event=asked, amount=Decimal(9), by=vera, reason=WHY)
    grants.adjust(company=acme, amount=Decimal(-2), by=vera, reason=WHY)

    printed = [run(str(sequence), acme) for sequence in (1, 3, 4, 5)]

    assert [lines[0].partition(" on ")[0] for lines in printed] == [
        "Entry: #1 Added 20.0",
        "Entry: #3 Used 12.6",
        "Entry: #4 Refunded 9.0",
        "Entry: #5 Adjusted by -2.0",
    ]
    assert "  It corrects entry #3: used 12.6." in printed[2]
    assert "Corrections: Entry #4: refunded 9.0, 2 Mar 2026 12:00 UTC." in printed[1]
    assert any(line.startswith(("Lots: 8.6 to ", "  8.6 to ")) for line in printed[2])


def test_what_a_key_or_a_person_asked_for_was_not_written_by_the_system(acme):
    statement.lot(acme, "Lot", "20")
    key, vera = api.key(acme), people.vera()
    for use in (
        replace(statement.use(), api_key_ref=key.key.pk),
        replace(statement.use(), user_ref=vera.public_id),
        statement.use(),
    ):
        charging.charge(company=acme, use=use, work=Work(long_calls=1), rates=people.rates())

    writers = [run(str(sequence), acme)[-2].strip() for sequence in (2, 3, 4)]

    assert writers == [
        f"Written for the request of the key “{key.key.name}”.",
        f"Written for the request of {vera.get_full_name()}.",
        "Who: Written by the system.",
    ]


def test_what_was_read_has_to_come_to_what_was_charged(asked, acme):
    found = explain(acme, 3)
    one = Piece(uuid.uuid4(), "CALL", NOON, credits=Decimal(1))

    broken = replace(found, sources=Sources(pieces=(one,)))
    told = replace(found, sources=Sources(pieces=(replace(one, credits=Decimal("12.6")),)))

    assert broken.breaches() == ["what was read: 1.0, not 12.6"]
    assert told.breaches() == []


def test_the_command_prints_what_the_api_answers(acme, asked):
    told = json.loads("\n".join(run(str(asked.pk), acme, "--json")))

    assert (told["entry"]["sequence"], told["usage"]["amount"]) == (3, "12.6")
    assert [(lot["amount"]) for lot in told["lots"]] == ["-4.0", "-8.6"]
    assert told["reservation"]["released"] == "2.4"
    assert told["integration"]["name"] == "CRM desk"
    assert told["adds_up"] is True


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("9", "There is no such ledger entry in your company."),
        (str(uuid.UUID(int=1)), "There is no such usage event in your company."),
        ("x", "“x” is neither the number of an entry nor the id of a use."),
    ],
)
def test_the_command_refuses_what_is_not_there_in_one_sentence(acme, what, sentence):
    with pytest.raises(CommandError, match=sentence) as refusal:
        run(what, acme)

    assert refusal.value.returncode == 2


def run(what, company, *more):
    out = io.StringIO()
    call_command("explain", what, "--company", company.slug, *more, stdout=out)
    return out.getvalue().splitlines()
