"""How the API reads requests, and what its OpenAPI document says of it as a whole."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, Any] = {
    "TITLE": "Tallystick",
    "VERSION": "1",
    "DESCRIPTION": (
        "What a company's credits are, were and went into. Every operation works on the company "
        "of the key alone.\n\n"
        "**Amounts** are strings with up to three places, instants are RFC 3339 in UTC, ranges "
        "are half-open: `since` ≤ t < `until`. An instant without an offset is read as UTC.\n\n"
        "**Lists** come in pages: `next_cursor`, and the header `Link`, lead to the next one. "
        "Unknown parameters and fields are refused by name.\n\n"
        "**Errors** are [problems](/docs/problems/) (RFC 9457) with a stable `code`; every answer "
        "has an `X-Request-Id`.\n\n"
        "**Writes** need an `Idempotency-Key`: the same request again gives the first answer, "
        "byte for byte, for 30 days, and is never done twice."
    ),
    "OAS_VERSION": "3.1.0",
    # Fields of one name whose codes differ from one kind of row to the next, and choices that
    # several fields have.
    "ENUM_NAME_OVERRIDES": {
        "TrackerKind": "trackers.models.TrackerKind",
        "TrackerState": "trackers.models.TrackerState",
        "BackfillState": "trackers.models.trackers.BackfillState",
        "ConversationKind": "trackers.models.ConversationKind",
        "EntityType": "trackers.models.EntityType",
        "SectionKind": "trackers.models.SectionKind",
        "SentKind": "trackers.api.conversation_inputs.KINDS",
        "SentRole": "trackers.api.conversation_inputs.ROLES",
        "PurchaseState": "billing.api.purchases.STATES",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "credits.api.schema.add_problem",
    ],
    # Everything the page needs comes from here; null keeps it from asking a validator elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
}

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["credits.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["credits.api.reading.JsonParser"],
    "DEFAULT_SCHEMA_CLASS": "credits.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "credits.api.answers.to_exception",
    # “format” is a parameter like any other: unknown.
    "URL_FORMAT_OVERRIDE": None,
}
