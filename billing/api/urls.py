"""The addresses of the API that stand on billing."""

from __future__ import annotations

from django.urls import path

from billing.api.purchases import PurchasesView, PurchaseView
from billing.api.reports import PurchaseReportView

urlpatterns = [
    path("v1/purchases", PurchasesView.as_view()),
    path("v1/purchases/<uuid:id>", PurchaseView.as_view(), name="api_purchase"),
    path("v1/reports/purchase-history", PurchaseReportView.as_view()),
]
