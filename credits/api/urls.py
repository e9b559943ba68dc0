"""The addresses of the API that stand on credits alone, and of its documentation."""

from __future__ import annotations

from django.urls import path

from credits.api import (
    balance,
    documentation,
    explanations,
    grants,
    ledger,
    limits,
    rate_card,
    reports,
    usage,
)

urlpatterns = [
    path("schema.json", documentation.SchemaView.as_view(), name="api_schema"),
    path("docs", documentation.DocsView.as_view(), name="api_docs"),
    path("v1/balance", balance.BalanceView.as_view()),
    path("v1/grants", grants.GrantsView.as_view()),
    path("v1/grants/<uuid:id>", grants.GrantView.as_view()),
    path("v1/ledger", ledger.LedgerView.as_view()),
    path("v1/ledger/<int:sequence>", ledger.LedgerEntryView.as_view()),
    path("v1/ledger/<int:sequence>/explanation", explanations.EntryExplanationView.as_view()),
    path("v1/usage", usage.UsageView.as_view()),
    path("v1/usage/<uuid:id>", usage.UsageEventView.as_view()),
    path("v1/usage/<uuid:id>/explanation", explanations.UsageExplanationView.as_view()),
    path("v1/limits", limits.LimitsView.as_view()),
    path("v1/limits/<uuid:id>", limits.LimitView.as_view(), name="api_limit"),
    path("v1/limits/<uuid:id>/end", limits.LimitEndView.as_view()),
    path("v1/reports/credit-usage", reports.UsageReportView.as_view()),
    path("v1/reports/credit-balance", reports.BalanceReportView.as_view()),
    path("v1/rate-card", rate_card.RateCardView.as_view()),
]
problem_urlpatterns = [
    path("", documentation.problem_index, name="problems"),
    path("<slug:name>", documentation.problem_page, name="problem"),
]
