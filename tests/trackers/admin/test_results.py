"""Results narrowed down, taken out as a file, and judged by people (SPEC §5, UX C7)."""

from __future__ import annotations

import csv
import io
import json

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credits import balances
from tests.support import pages, sheets
from tests.support.hostile import PAYLOADS
from tests.trackers.admin.conftest import (
    call,
    canary_call,
    published,
    scanned,
    signed_in,
    turns,
)
from trackers import reviewing
from trackers.admin import results_export
from trackers.models import CustomerAccount, Deal, Review, Scan, Team

LIST = reverse("admin:trackers_scan_changelist")
EXPORT = reverse("admin:trackers_scan_export")
CSV, XLSX, JSON = "0", "1", "2"
YES_OR_NO = {"right": "yes", "wrong": "no"}
HEADER = [
    "Conversation",
    "External id",
    "Kind",
    "Started",
    "Account",
    "Deal",
    "Team",
    "Tracker",
    "Version",
    "Result",
    "Confidence",
    "Answer",
    "Quote",
    "Speaker",
    "Quote time",
    "Credits",
    "Action",
    "Finished",
    "Judged",
]


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def judge(client, scan, word):
    return client.post(
        reverse("admin:trackers_scan_judge", args=[scan.pk]), {"is_right": YES_OR_NO[word]}
    )


def exported(client, file_format, query="") -> bytes:
    answer = client.post(EXPORT + query, {"format": file_format, "resource": "0"})
    assert answer.status_code == 200
    return answer.content


# The list


def test_results_are_found_by_confidence_kind_account_deal_team_and_judgement(world, scans):
    client = signed_in(world.vic)
    reviewing.judge(scan=scans["Loud"], is_right=True, by=world.alice, now=timezone.now())
    reviewing.judge(scan=scans["Quiet"], is_right=False, by=world.alice, now=timezone.now())
    initech = CustomerAccount.objects.get(name="Initech")
    racks = Deal.objects.get(name="Initech racks")
    support = Team.objects.get(name="Support")

    def found(query):
        page = text_of(client.get(f"{LIST}?{query}"))
        return {title for title in scans if f">{title}<" in page}

    assert found("confidence__exact=HIGH") == {"Loud", "Quiet", "Mail"}
    assert found("confidence__exact=LOW") == set()
    assert found("conversation__kind__exact=EMAIL") == {"Mail"}
    assert found("account=inite") == {"Quiet", "Mail"}
    assert found("deal=robots") == {"Loud"}
    assert found(f"team__id__exact={support.pk}") == {"Mail"}
    assert found("judged=yes") == {"Loud", "Quiet"}
    assert found("judged=no") == {"Mail"}
    assert found("judged=confirmed") == {"Loud"}
    assert found("judged=rejected") == {"Quiet"}
    assert found(f"conversation__account__id__exact={initech.pk}") == {"Quiet", "Mail"}
    assert found(f"conversation__deal__id__exact={racks.pk}") == {"Quiet"}
    assert found("account=inite&verdict__exact=YES") == {"Mail"}


def test_no_other_company_s_account_or_deal_is_a_filter(world, scans):
    scanned(world.globex, published(world.globex, world.gina, "Canary tracker"), canary_call())
    account = CustomerAccount.objects.get(name="Canary account")

    page = text_of(
        signed_in(world.vic).get(f"{LIST}?conversation__account__id__exact={account.pk}")
    )

    assert "Nothing fits this search and these filters." in page
    assert "Canary title" not in page


# A file of them


def test_the_file_holds_what_the_list_shows_in_the_company_s_zone(world, scans):
    reviewing.judge(scan=scans["Loud"], is_right=False, by=world.alice, now=timezone.now())

    header, *rows = csv.reader(
        io.StringIO(exported(signed_in(world.vic), CSV, "?deal=robots").decode())
    )

    assert header == HEADER
    assert rows == [
        [
            "Loud",
            "loud",
            "Call",
            "2026-01-14T11:30:00+01:00",
            "Globex",
            "Globex robots",
            "EMEA Sales",
            "Pricing objection",
            "1",
            "Found",
            "High",
            "YES",
            "That is too expensive for us.",
            "Carl Customer",
            "00:04",
            "0.5",
            "Continuous",
            "2026-01-14T12:30:00+01:00",
            "Rejected",
        ]
    ]


def test_the_file_quotes_nothing_for_what_was_not_found_as_the_list_does(world, scans):
    """The analyser keeps what came nearest, which is no evidence."""
    for title, found in (("Loud", "UNSURE"), ("Mail", "NO")):
        assert scans[title].quotes.count() == 1
        Scan.objects.filter(pk=scans[title].pk).update(verdict=found)

    rows = csv.DictReader(io.StringIO(exported(signed_in(world.vic), CSV).decode()))
    cells = ("Result", "Quote", "Speaker", "Quote time")

    assert {row["Conversation"]: tuple(row[cell] for cell in cells) for row in rows} == {
        "Loud": ("Unsure", "That is too expensive for us.", "Carl Customer", "00:04"),
        "Mail": ("Not found", "", "", ""),
        "Quiet": ("Not found", "", "", ""),
    }


def test_json_and_xlsx_hold_the_same_with_figures_as_figures(world, scans):
    client = signed_in(world.bob)

    objects = json.loads(exported(client, JSON))
    cells = sheets.cells(exported(client, XLSX), "Results")

    assert list(objects[0]) == HEADER
    assert {(one["Conversation"], one["Credits"]) for one in objects} == {
        ("Loud", "0.5"),
        ("Quiet", "0.5"),
        ("Mail", "0.1"),
    }
    assert cells[0] == HEADER
    assert {row[HEADER.index("Credits")] for row in cells[1:]} == {0.5, 0.1}


def test_no_cell_is_run_by_a_spreadsheet(world, tracker):
    hostile = f"={PAYLOADS[0]} expensive"
    scanned(
        world.acme,
        tracker,
        call(
            "=external",
            title=hostile,
            utterances=turns(f"c: {hostile}"),
            account={"name": "+account", "type": "prospect"},
        ),
    )
    client = signed_in(world.vic)

    _, row = csv.reader(io.StringIO(exported(client, CSV).decode()))
    workbook = exported(client, XLSX)

    said = {name: row[HEADER.index(name)] for name in ("Conversation", "Account", "Quote")}
    assert said == {
        "Conversation": f"'{hostile}",
        "Account": "'+account",
        "Quote": f"'{hostile}",
    }
    assert sheets.formulas(workbook) == []


def test_a_file_holds_one_company_s_results_alone(world, scans):
    scanned(world.globex, published(world.globex, world.gina, "Canary tracker"), canary_call())
    vera = signed_in(world.vera)

    ours = exported(signed_in(world.vic), CSV).decode()

    assert "anary" not in ours
    assert "Loud" in ours
    # Whoever looks at all companies chooses one first.
    assert vera.post(EXPORT, {"format": CSV, "resource": "0"}).status_code == 403


def test_more_rows_than_a_file_takes_are_refused_before_they_are_read(world, scans, monkeypatch):
    monkeypatch.setattr(results_export, "ROWS_MAX", 2)
    client = signed_in(world.vic)

    answer = client.get(EXPORT, follow=True)
    few = client.post(f"{EXPORT}?deal=robots", {"format": CSV, "resource": "0"})

    assert "A file takes at most 2 results, and these are more." in text_of(answer)
    assert few["Content-Type"].startswith("text/csv")


def test_a_file_takes_as_many_queries_for_many_rows_as_for_one(world, tracker):
    client = signed_in(world.vic)
    scanned(world.acme, tracker, call("call-0"))
    exported(client, CSV)
    with CaptureQueriesContext(connection) as few:
        exported(client, CSV)

    scanned(world.acme, tracker, *(call(f"call-{n}") for n in range(1, 12)))

    with CaptureQueriesContext(connection) as many:
        assert exported(client, CSV).count(b"\r\n") == 13
    assert len(many) == len(few)


# What people say of them


def test_a_result_is_confirmed_and_then_rejected_for_nothing(world, scans):
    client = signed_in(world.bob)
    before = balances.now(company=world.acme).available

    answer = judge(client, scans["Loud"], "right")
    confirmed = text_of(client.get(answer["Location"]))
    judge(client, scans["Loud"], "wrong")
    rejected = text_of(client.get(answer["Location"]))

    assert 'data-status="CONFIRMED"' in confirmed
    assert 'data-status="REJECTED"' in rejected
    in_force = Review.objects.get(replaced_at=None)
    assert (in_force.is_yes, in_force.judged_by) == (False, world.bob)
    assert balances.now(company=world.acme).available == before


def test_a_viewer_and_the_vendor_read_what_was_said_and_say_nothing(world, scans):
    judge(signed_in(world.bob), scans["Loud"], "right")
    page = reverse("admin:trackers_scan_change", args=[scans["Loud"].pk])

    for person in (world.vic, world.vera):
        client = signed_in(person)
        assert judge(client, scans["Quiet"], "wrong").status_code == 403
        shown = pages.read(client.get(page))
        assert "Judged: Confirmed" in shown.text
        assert not shown.all(tag="button", name="is_right")
    assert Review.objects.count() == 1


def test_a_word_that_is_none_and_a_result_that_is_not_there_change_nothing(world, scans):
    client = signed_in(world.bob)
    theirs = scanned(world.globex, published(world.globex, world.gina), canary_call())[0]
    here = reverse("admin:trackers_scan_judge", args=[scans["Loud"].pk])

    assert "Say whether the result is right or wrong." in text_of(
        client.post(here, {"is_right": "maybe"}, follow=True)
    )
    assert judge(client, theirs, "wrong").status_code == 404
    page = reverse("admin:trackers_scan_change", args=[scans["Loud"].pk])
    assert client.get(here).headers["Location"] == page
    assert not Review.objects.exists()


def test_what_is_not_read_yet_cannot_be_judged(world, tracker):
    waiting = scanned(world.acme, tracker, call("call-1"), amount="0")[0]
    client = signed_in(world.bob)

    page = pages.read(client.get(reverse("admin:trackers_scan_change", args=[waiting.pk])))
    answer = client.post(
        reverse("admin:trackers_scan_judge", args=[waiting.pk]), {"is_right": "yes"}, follow=True
    )

    assert not page.all(tag="button", name="is_right")
    assert "Only a finished result can be confirmed or rejected" in text_of(answer)
