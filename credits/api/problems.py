"""Every error of the API, as RFC 9457 problems: one type, one code, one page of documentation each.

``type`` is the address of that page, on this very site. ``code`` is what programs compare.
"""

from __future__ import annotations

import difflib

from credits.api.problem_kinds import Extra

# Callers find what is raised beside the errors there are.
from credits.api.problem_kinds import Problem as Problem
from credits.api.problem_kinds import ProblemType as ProblemType
from credits.api.problem_types import (
    ACCEPTANCE_REQUIRED,
    ANALYZER_FAILED,
    CONVERSATION_ERASED,
    PRECONDITION_REQUIRED,
    WRONG_STATE,
)

_ERRORS = Extra(
    "Each thing that is wrong: its name, and one sentence.",
    [{"name": "since", "detail": "Write an instant like 2026-11-01T00:00:00Z."}],
)

UNAUTHORIZED = ProblemType(
    "unauthorized",
    401,
    "No key that works",
    "This key opens nothing. Check it, or ask a tech admin of your company for a new one.",
    "The request had no key, or one that is unknown, revoked, expired, of a closed company, or "
    "used from a network it is not allowed from. The answer does not say which of these it is.",
    "Send the header “Authorization: Bearer <key>”. A tech admin of your company sees on the page "
    "“API keys” which keys work, until when and from where, and makes new ones there.",
)
MISSING_SCOPE = ProblemType(
    "missing_scope",
    403,
    "The key may not do this",
    "This key may not read the ledger: it lacks the scope ledger:read.",
    "The key works, but not for this operation.",
    "Use a key with the scope that “required_scope” names. A key's scopes never change; a tech "
    "admin of your company makes a new key.",
    {"required_scope": Extra("The scope this operation asks for.", "ledger:read")},
)
NOT_FOUND = ProblemType(
    "not_found",
    404,
    "Not found",
    "There is no such ledger entry in your company.",
    "There is nothing at this address, or nothing of your company. A row of another company "
    "answers like one that does not exist.",
    "Compare the address with the documentation, and the id with one that a list gave you.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method_not_allowed",
    405,
    "This address does not take this method",
    "DELETE is not possible here; use GET.",
    "The address exists, but not with this method.",
    "Use one of the methods in the header Allow.",
)
NOT_ACCEPTABLE = ProblemType(
    "not_acceptable",
    406,
    "Only JSON is answered",
    "Answers are JSON; accept application/json.",
    "The header Accept leaves out application/json, the only format there is.",
    "Send “Accept: application/json”, or leave the header out.",
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported_media_type",
    415,
    "Only plain JSON is read",
    "Send the body as application/json, not as text/xml.",
    "The body is not JSON, or it is compressed.",
    "Send the body uncompressed, with “Content-Type: application/json”.",
)
PAYLOAD_TOO_LARGE = ProblemType(
    "payload_too_large",
    413,
    "The body is too large",
    "A body has at most 65,536 bytes here.",
    "The body is longer than this operation reads. Nothing was done.",
    "Send less in one request.",
)
BAD_REQUEST = ProblemType(
    "bad_request",
    400,
    "The request cannot be read",
    "The request cannot be read; compare it with the documentation.",
    "The request breaks a rule of HTTP, or was sent to a host name this site does not have.",
    "Compare the request with the examples of the documentation.",
)
INVALID_PARAMETER = ProblemType(
    "invalid_parameter",
    400,
    "A parameter has a wrong value",
    "since: Write an instant like 2026-11-01T00:00:00Z.",
    "A parameter in the address has a value that it cannot have, or is given twice. Nothing was "
    "done.",
    "Correct what “errors” names. In an address, a + is written %2B.",
    {"errors": _ERRORS},
)
UNKNOWN_PARAMETER = ProblemType(
    "unknown_parameter",
    400,
    "There is no such parameter",
    "There is no parameter “untill”. Did you mean “until”?",
    "A parameter in the address is not one of this operation's. It is refused rather than "
    "ignored: an ignored filter would answer with more than you asked for.",
    "Correct or remove it.",
    {
        "errors": Extra(
            "Each unknown parameter.",
            [{"name": "untill", "detail": "There is no such parameter. Did you mean “until”?"}],
        )
    },
)
INVALID_CURSOR = ProblemType(
    "invalid_cursor",
    400,
    "This cursor leads nowhere",
    "This cursor belongs to another query. Begin again without it.",
    "A cursor continues one query only, with the same filters and the same order, and is not made "
    "by hand.",
    "Take “next_cursor” of the page before as it is, and keep the filters; or begin again without "
    "a cursor.",
)
INVALID_BODY = ProblemType(
    "invalid_body",
    400,
    "The body is not what is expected",
    "amount: Credits have at most three decimal places; 1.2345 has more.",
    "The body is not JSON, or a field has a value that it cannot have. Nothing was done.",
    'Correct what “errors” names. Amounts are strings, such as "12.5".',
    {
        "errors": Extra(
            "Each thing that is wrong: its name, and one sentence.",
            [{"name": "amount", "detail": "Credits have at most three decimal places."}],
        )
    },
)
UNKNOWN_FIELD = ProblemType(
    "unknown_field",
    400,
    "There is no such field",
    "There is no field “ammount”. Did you mean “amount”?",
    "A field of the body is not one of this operation's. Nothing was done.",
    "Correct or remove it. The company, in particular, is always that of the key.",
    {
        "errors": Extra(
            "Each unknown field.",
            [{"name": "ammount", "detail": "There is no such field. Did you mean “amount”?"}],
        )
    },
)
PRECONDITION_FAILED = ProblemType(
    "precondition_failed",
    412,
    "It is not as you last saw it",
    "The balance is not the one that If-Match names.",
    "The header If-Match or If-Unmodified-Since asks for a state that has passed.",
    "Read again without the header.",
)
IDEMPOTENCY_KEY_MISSING = ProblemType(
    "idempotency_key_missing",
    400,
    "A write needs an Idempotency-Key",
    "Send the header Idempotency-Key with 1 to 255 characters that you use for this request only.",
    "Every write carries a key of your own choosing, so that sending it again after a lost answer "
    "does it once. Nothing was done.",
    "Send the header Idempotency-Key with 1 to 255 printable characters, such as a random UUID: a "
    "new one for each new request, the same one when you repeat a request.",
)
IDEMPOTENCY_KEY_INVALID = ProblemType(
    "idempotency_key_invalid",
    400,
    "This Idempotency-Key cannot be kept",
    "An Idempotency-Key has at most 255 characters; this one has 256.",
    "The key is too long, or has characters that are not printable. Nothing was done.",
    "Use 1 to 255 printable characters, such as a random UUID.",
)
IDEMPOTENCY_IN_FLIGHT = ProblemType(
    "idempotency_in_flight",
    409,
    "The same request is under way",
    "A request with this Idempotency-Key is being answered. Repeat it in a second.",
    "Another request with this key has not been answered yet. This one did nothing.",
    "Wait for “Retry-After” and repeat the request with the same key: it gives the first answer.",
)
IDEMPOTENCY_KEY_REUSED = ProblemType(
    "idempotency_key_reused",
    422,
    "This key was used for another request",
    "This Idempotency-Key was used with another body. Use a new key for a new request.",
    "The key was used before, with a body that says something else. Nothing was done.",
    "Use a new key for a new request; to repeat the first one, send its body as it was.",
)
IDEMPOTENCY_ANSWER_EXPIRED = ProblemType(
    "idempotency_answer_expired",
    409,
    "This was done before",
    "This request was done before. Its answer is no longer kept; nothing was done again.",
    "The key was used with this very body. Answers are kept for 30 days, and less where words in "
    "them were erased. What was done then stands, and is not done again.",
    "Read the row that “result_id” names.",
    {
        "result_id": Extra(
            "The id of what the first request made.", "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"
        )
    },
)
ALREADY_RECORDED = ProblemType(
    "already_recorded",
    409,
    "This order is recorded already",
    "Already recorded as #118.",
    "Another purchase of your company has this order reference. Case, white space and characters "
    "that nobody sees make no other order. Nothing was done.",
    "Read the purchase that “purchase_id” names; leave the reference out, or give another one, if "
    "this is another order.",
    {
        "purchase_id": Extra(
            "The id of the purchase that has it.", "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b17"
        )
    },
)
ALREADY_ENDED = ProblemType(
    "already_ended",
    409,
    "This has ended already",
    "This limit was ended before; set it again if it is needed.",
    "What the address names ended before this request, by another one or by a person.",
    "Read it to see when it ended.",
)
INSUFFICIENT_CREDITS = ProblemType(
    "insufficient_credits",
    402,
    "Not enough credits",
    "This needs 12.4 credits and 3.1 are available.",
    "The request would cost more credits than can be spent. Nothing was done and nothing was "
    "charged. There is no Retry-After: trying again alone does not help.",
    "Ask for less, or ask an admin of your company for more credits or a higher limit. A limit "
    "begins anew when its day or month ends.",
    {
        "required": Extra("What the request needs.", "12.4"),
        "available": Extra("What can be spent now.", "3.1"),
        "shortfall": Extra("What is missing.", "9.3"),
        "limit_source": Extra(
            "What stopped it: company_pool, or a limit of the company, the feature, the tracker, "
            "the integration or the api_key.",
            "company_pool",
        ),
        "as_of": Extra("When that was so.", "2026-11-21T23:10:05.123456Z"),
        "manage_url": Extra(
            "Where an admin of your company sees what is left and what uses it.",
            "https://credits.example.com/admin/",
        ),
        "limit": Extra(
            "The limit that stopped it, where it was one: what it allows in its window, and when "
            "the window ends. “available” is what it leaves until then.",
            {
                "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b19",
                "name": "Nightly export",
                "window": "DAY",
                "credits": "10.0",
                "window_ends_at": "2026-11-22T00:00:00Z",
            },
            is_always_there=False,
        ),
    },
)
MAX_CREDITS_EXCEEDED = ProblemType(
    "max_credits_exceeded",
    422,
    "This costs more than you allowed",
    "This needs 12.4 credits and max_credits is 10.0.",
    "The price, which is known before any work, is above the “max_credits” of the request. Nothing "
    "was done and nothing was charged.",
    "Raise max_credits, or ask for less: a shorter period has fewer calls and e-mails.",
    {
        "required": Extra("What the request needs.", "12.4"),
        "max_credits": Extra("What the request allows.", "10.0"),
    },
)
RATE_LIMITED = ProblemType(
    "rate_limited",
    429,
    "Too many requests",
    "Your company may make 3 requests in a second. Try again in 1 second.",
    "All keys of a company together may make so many requests in any second, and so many in a day "
    "(of UTC). This one was not done and is not counted.",
    "Wait for the seconds in Retry-After, then repeat the request.",
    {
        "limit": Extra("Which limit: per_second or per_day.", "per_second"),
        "limit_count": Extra("How many requests it allows.", 3),
    },
)
INTERNAL_ERROR = ProblemType(
    "internal_error",
    500,
    "This failed on our side",
    "This failed on our side and nothing was half-written. Try again, and if it fails again tell "
    "whoever runs this site the request_id.",
    "Something the product did not expect. What failed is in the log of this site.",
    "Try again, a write with the same Idempotency-Key. If it fails again, tell whoever runs this "
    "site the “request_id”.",
)
UNAVAILABLE = ProblemType(
    "unavailable",
    503,
    "Not reachable just now",
    "The database does not answer just now. Nothing was half-written; try again in 5 seconds.",
    "The database is restarting or out of reach.",
    "Wait for the seconds in Retry-After and repeat the request, a write with the same "
    "Idempotency-Key.",
)

TYPES = (
    BAD_REQUEST,
    INVALID_PARAMETER,
    UNKNOWN_PARAMETER,
    INVALID_CURSOR,
    INVALID_BODY,
    UNKNOWN_FIELD,
    IDEMPOTENCY_KEY_MISSING,
    IDEMPOTENCY_KEY_INVALID,
    UNAUTHORIZED,
    INSUFFICIENT_CREDITS,
    MISSING_SCOPE,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    IDEMPOTENCY_IN_FLIGHT,
    IDEMPOTENCY_ANSWER_EXPIRED,
    ALREADY_RECORDED,
    WRONG_STATE,
    ACCEPTANCE_REQUIRED,
    CONVERSATION_ERASED,
    ALREADY_ENDED,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    PAYLOAD_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    IDEMPOTENCY_KEY_REUSED,
    MAX_CREDITS_EXCEEDED,
    RATE_LIMITED,
    INTERNAL_ERROR,
    ANALYZER_FAILED,
    UNAVAILABLE,
)
BY_SLUG = {one.slug: one for one in TYPES}
# What an answer that is not of our own making becomes, by its status alone.
_BY_STATUS = {
    one.status: one
    for one in (
        NOT_FOUND,
        METHOD_NOT_ALLOWED,
        NOT_ACCEPTABLE,
        PRECONDITION_FAILED,
        PAYLOAD_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        UNAVAILABLE,
    )
}
_BARE_DETAILS = {
    404: "There is nothing at this address. Compare it with the documentation at /api/docs.",
    413: "The body is too large. Send less in one request.",
}


def for_status(status: int) -> Problem:
    """Return the problem for an answer of which only the status is known."""
    default = INTERNAL_ERROR if status >= 500 else BAD_REQUEST
    found = _BY_STATUS.get(status, default)
    return Problem(found, _BARE_DETAILS.get(status, found.detail), status=status)


def nearest(name: str, known: list[str]) -> str:
    """Return “ Did you mean “until”?” for a name that resembles a known one, or nothing."""
    found = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean “{found[0]}”?" if found else ""
