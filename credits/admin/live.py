"""Figures that follow a form while it is filled in: what its second step would show, nothing done.

``credits/live.js`` posts the form to its own address with the step ``look`` whenever it changes,
and puts the answer, a piece of HTML, beside it. Without the script the page's button says the same.
"""

from __future__ import annotations

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

STEP_LOOK = "look"


def is_look(request: HttpRequest) -> bool:
    """Tell whether the form was only posted to see its figures."""
    return request.method == "POST" and request.POST.get("step") == STEP_LOOK


def problem(form: forms.BaseForm) -> str:
    """Say in one sentence what is wrong with a form; empty for one without errors."""
    return problem_of(form, next(iter(form.errors))) if form.errors else ""


def problem_of(form: forms.BaseForm, name: str) -> str:
    """Say what is wrong with one field, or with the whole form."""
    sentence = str(form.errors[name][0])
    return sentence if name == NON_FIELD_ERRORS else f"{form[name].label}: {sentence}"


def refusal(request: HttpRequest, sentence: str) -> HttpResponse:
    """Answer with the sentence that stands where the figures would."""
    return TemplateResponse(request, "admin/credits/live_refusal.html", {"sentence": sentence})
