"""GET /api/v1/reports/…: the same files as the page “Download credit reports”, by a key."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta

import openpyxl
import pytest
from django.urls import reverse

from credits import exports
from credits.api import reports
from credits.downloads import FileDownload
from credits.models import AuditEvent, ExportFormat, Scope
from tests.credits.conftest import NOON
from tests.support import api, people, statement
from tests.support.browsing import signed_in

V1 = "/api/v1/reports"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BALANCE = b"Action date,Action,Method,# of credits,Total credits before,Total credits after\r\n"
SLUGS = ("credit-usage", "credit-balance", "purchase-history")


@pytest.fixture
def lived(acme, clock):
    """The 2nd of March: 10 credits, 1.5 used. The 3rd: 2 used."""
    statement.lot(acme, "March", "10")
    statement.charge(acme, "1.5")
    clock.set(NOON + timedelta(days=1))
    statement.charge(acme, "2")
    return acme


@pytest.fixture
def program(lived):
    return api.of(lived)


def body(answer) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer)


def test_the_balance_report_is_a_statement_of_account(lived, program):
    answer = program.get(f"{V1}/credit-balance", {"format": "csv"})

    assert body(answer) == BALANCE + (
        b"2026-03-02,Adding credits,Added,10.0,0.0,10.0\r\n"
        b"2026-03-02,Consuming credits,Used,1.5,10.0,8.5\r\n"
        b"2026-03-03,Consuming credits,Used,2.0,8.5,6.5\r\n"
    )
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == (
        f'attachment; filename="credit-balance-{lived.slug}-all.csv"'
    )
    assert answer["X-Report-Rows"] == "3"
    assert "X-Credits-Used" not in answer


def test_without_a_word_it_is_json(program):
    answer = program.get(f"{V1}/credit-balance", {"from": "2026-03-03"})

    assert answer["Content-Type"] == "application/json"
    assert body(answer) == (
        b'[{"Action date": "2026-03-03", "Action": "Consuming credits", "Method": "Used", '
        b'"# of credits": "2.0", "Total credits before": "8.5", "Total credits after": "6.5"}]'
    )


@pytest.mark.parametrize(
    ("accept", "asked", "given"),
    [
        ("text/csv", "", "text/csv; charset=utf-8"),
        (XLSX, "", XLSX),
        ("application/json", "", "application/json"),
        ("text/csv;q=0.5, application/json", "", "application/json"),
        ("*/*", "", "application/json"),
        ("application/json", "xlsx", XLSX),
        ("text/csv", "json", "application/json"),
    ],
)
def test_the_form_is_what_is_accepted_or_asked_for(program, accept, asked, given):
    query = {"format": asked} if asked else {}

    answer = program.get(f"{V1}/credit-balance", query, headers={"accept": accept})

    assert answer.status_code == 200
    assert answer["Content-Type"] == given


def test_days_are_local_and_both_are_included(lived, program):
    def dates(**days) -> list[str]:
        rows = program.get(f"{V1}/credit-balance", days)
        return [row["Action date"] for row in rows.json()]

    assert dates(**{"from": "2026-03-02", "to": "2026-03-02"}) == ["2026-03-02"] * 2
    assert dates(to="2026-03-02") == ["2026-03-02"] * 2
    assert dates(**{"from": "2026-03-03", "to": "2026-03-03"}) == ["2026-03-03"]
    assert dates(**{"from": "2026-03-04"}) == []
    name = program.get(f"{V1}/credit-balance", {"to": "2026-03-02"})["Content-Disposition"]
    assert f"{lived.slug}-to-2026-03-02.json" in name


def test_an_empty_range_is_a_header_and_says_that_there_are_no_rows(program):
    answer = program.get(f"{V1}/credit-balance", {"format": "csv", "from": "2026-04-01"})

    assert body(answer) == BALANCE
    assert answer["X-Report-Rows"] == "0"


@pytest.mark.parametrize("slug", SLUGS)
@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_it_is_byte_for_byte_the_page_s_file(lived, program, slug, file_format):
    people.credits_for(lived, "5")
    choice = {"report": slug, "days": "all", "format": file_format, "export": "1"}

    by_key = body(program.get(f"{V1}/{slug}", {"format": file_format}))
    by_hand = body(signed_in(people.alice(lived)).get(reverse("admin:credits_reports"), choice))

    assert by_key == by_hand
    assert len(by_key) > (0 if slug == "purchase-history" else 200)


def test_a_workbook_has_the_rows_and_the_control_sheet_of_the_page(lived, program):
    def sheets(answer) -> dict[str, list]:
        book = openpyxl.load_workbook(io.BytesIO(body(answer)))
        return {sheet.title: [list(row) for row in sheet.values] for sheet in book}

    alice = signed_in(people.alice(lived))
    choice = {"report": "credit-usage", "days": "all", "format": "xlsx", "export": "1"}

    by_key = sheets(program.get(f"{V1}/credit-usage", {"format": "xlsx"}))

    assert by_key == sheets(alice.get(reverse("admin:credits_reports"), choice))
    assert len(by_key) == 2


def test_usage_can_be_added_up_by_day_and_have_a_byte_order_mark(program):
    by_event = program.get(f"{V1}/credit-usage").json()
    by_day = body(
        program.get(f"{V1}/credit-usage", {"daily": "true", "bom": "true", "format": "csv"})
    )

    assert [row["Credits used"] for row in by_event] == ["1.5", "2.0"]
    assert by_day.startswith(b"\xef\xbb\xbfUsage time,")


@pytest.mark.parametrize(
    ("slug", "scope", "other"),
    [
        ("credit-usage", Scope.USAGE_READ, Scope.LEDGER_READ),
        ("credit-balance", Scope.LEDGER_READ, Scope.USAGE_READ),
        ("purchase-history", Scope.PURCHASES_READ, Scope.LEDGER_READ),
    ],
)
def test_each_report_asks_for_the_scope_of_its_rows(lived, slug, scope, other):
    refused = api.problem(api.of(lived, other).get(f"{V1}/{slug}"))

    assert api.of(lived, scope).get(f"{V1}/{slug}").status_code == 200
    assert (refused["code"], refused["required_scope"]) == ("missing_scope", scope)


def test_another_company_s_key_has_another_company_s_rows(lived):
    beta = api.of(people.company("Beta"))

    assert [beta.get(f"{V1}/{slug}").json() for slug in SLUGS] == [[], [], []]


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        (
            {"form": "csv"},
            "unknown_parameter",
            "There is no parameter “form”. Did you mean “format”?",
        ),
        ({"since": "2026-03-01"}, "unknown_parameter", "There is no parameter “since”."),
        ({"daily": "true"}, "unknown_parameter", "There is no parameter “daily”."),
        (
            {"format": "pdf"},
            "invalid_parameter",
            "format: Write one of csv, xlsx, json.",
        ),
        ({"from": "2026-3-1"}, "invalid_parameter", "from: Write a day like 2026-12-01."),
        (
            {"from": "2026-03-02", "to": "2026-03-01"},
            "invalid_parameter",
            "to: The last day, 2026-03-01, is before the first, 2026-03-02. Swap them.",
        ),
        (
            {"bom": "true"},
            "invalid_parameter",
            "bom: Only a CSV begins with a byte-order mark; leave it out.",
        ),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(program, query, code, detail):
    refused = api.problem(program.get(f"{V1}/credit-balance", query))

    assert refused["code"] == code
    assert refused["detail"].startswith(detail)
    assert refused["errors"][0]["name"] == next(reversed(query))


def test_a_form_there_is_not_is_refused_with_those_there_are(program):
    refused = api.problem(
        program.get(f"{V1}/credit-balance", headers={"accept": "application/pdf"})
    )

    assert refused["code"] == "not_acceptable"
    assert "text/csv" in refused["detail"]


def test_more_rows_than_one_answer_has_are_refused_before_any_is_written(program, monkeypatch):
    monkeypatch.setitem(reports.ROWS_MAX, ExportFormat.JSON, 2)

    refused = api.problem(program.get(f"{V1}/credit-balance"))

    assert refused["errors"] == [
        {
            "name": "from",
            "detail": "These days have 3 rows, and one answer has at most 2 in this format. Ask "
            "for fewer days at a time.",
        }
    ]
    assert program.get(f"{V1}/credit-balance", {"from": "2026-03-03"}).status_code == 200


def test_a_long_file_leaves_in_blocks(program, monkeypatch):
    whole = program.get(f"{V1}/credit-balance").content
    monkeypatch.setattr(reports.files, "SPOOL_BYTES_MAX", 100)

    answer = program.get(f"{V1}/credit-balance")

    assert answer.streaming
    assert body(answer) == whole


def test_an_asynchronous_server_holds_one_block_at_a_time():
    read = []

    class File(io.BytesIO):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    async def sent() -> list[bytes]:
        return [block async for block in FileDownload(File(b"x" * 10_000))]

    blocks = asyncio.run(sent())

    assert [len(block) for block in blocks] == [4096, 4096, 1808]
    assert set(read) == {4096}


def test_a_full_disk_is_said_and_nothing_is_sent(program, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports.files, "as_file", full)

    refused = api.problem(program.get(f"{V1}/credit-balance"))

    assert refused["code"] == "unavailable"
    assert refused["detail"] == f"The report was not made: {exports.DISK_FULL}"


def test_a_download_is_in_the_audit_trail_with_its_key(lived, program):
    program.head(f"{V1}/credit-balance")
    program.get(f"{V1}/credit-balance", {"from": "2026-03-02", "format": "csv"})

    event = AuditEvent.objects.get(company=lived, action="EXPORTED")
    assert (event.actor_kind, event.door, event.subject_id) == ("API_KEY", "API", "credit-balance")
    assert event.actor_ref == lived.api_keys.get().pk
    told = {one["field"]: one["after"] for one in event.text.changes}
    assert told == {"days": "from 2 Mar 2026 on", "format": "CSV"}
