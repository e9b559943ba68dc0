"""The API's documentation, all of it served from here: the document, its page, the problems."""

from __future__ import annotations

import json

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from credits.api import problems, schema


class SchemaView(SpectacularJSONAPIView):
    """The OpenAPI document. It names no row of any company."""

    renderer_classes = [OpenApiJsonRenderer2]  # noqa: RUF012


class DocsView(SpectacularSwaggerView):
    """A page that shows the document and tries operations with a key of one's own."""

    # Its one renderer has no page to say anything else with.
    http_method_names = ["get", "head"]  # noqa: RUF012
    url_name = "api_schema"
    title = "API | Tallystick"


@require_safe
def problem_index(request: HttpRequest) -> HttpResponse:
    """List every problem type."""
    return render(request, "credits/problems.html", {"types": problems.TYPES})


@require_safe
def problem_page(request: HttpRequest, name: str) -> HttpResponse:
    """Explain one problem type; a code leads to its page, too."""
    slug = name.replace("_", "-")
    if slug not in problems.BY_SLUG:
        raise Http404
    if slug != name:
        return redirect("problem", slug, permanent=True)
    problem_type = problems.BY_SLUG[slug]
    example = json.dumps(schema.example(problem_type), indent=2, ensure_ascii=False)
    return render(request, "credits/problem.html", {"type": problem_type, "example": example})
