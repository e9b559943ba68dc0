"""The purchase history as a file: the very bytes that the page “Download credit reports” gives."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request

from billing.reports import PurchaseHistoryReport
from credits.api.reports import ReportParameters, ReportView, cells_of, documented
from credits.models import Scope


class PurchaseReportRow(serializers.Serializer[Any]):
    """A row of the purchase history."""

    def get_fields(self) -> dict[str, Any]:
        return cells_of(PurchaseHistoryReport)


class PurchaseReportView(ReportView):
    """The purchase history report."""

    scopes: ClassVar = {"GET": Scope.PURCHASES_READ}
    report = PurchaseHistoryReport

    @documented(
        PurchaseReportRow,
        ReportParameters,
        operation_id="read_purchase_history_report",
        summary="Download the purchase history",
        example={
            "Purchase time": "2026-07-01T09:30:00+02:00",
            "# of credits": "5000.0",
            "Availability start date": "2026-07-01",
            "Expiration date": "2027-06-30",
            "Remaining credits": "3120.5",
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """One row per fulfilled purchase, by the time of purchase; JSON, CSV or XLSX.

        The same file as the page “Download credit reports” gives; it uses no credits.
        """
        return self.answer()
