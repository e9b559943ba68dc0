"""The problems about acts that are refused as things stand."""

from __future__ import annotations

from credits.api.problem_kinds import Extra, ProblemType

PRECONDITION_REQUIRED = ProblemType(
    "precondition_required",
    428,
    "Say which state you have seen",
    "Send the header If-Match with the ETag of what you have read, or “*” for whatever is there.",
    "A change of what several people change names the state it was decided on, so that nobody "
    "undoes the work of another unseen. Nothing was done.",
    "Read the row and send its ETag in the header If-Match. “If-Match: *” changes whatever is "
    "there now.",
)
WRONG_STATE = ProblemType(
    "wrong_state",
    409,
    "Not possible as things stand",
    "This tracker is not published.",
    "The state that the row is in does not allow this. The sentence says why and what to do. "
    "Nothing was done.",
    "Read the row again, and do what the sentence says first.",
)
ACCEPTANCE_REQUIRED = ProblemType(
    "acceptance_required",
    409,
    "Accept the estimate first",
    "A month of this tracker may cost 1004.4 credits, more than 10 % of the 8369.4 available. "
    "Repeat the request with accept_share true to publish it all the same.",
    "Publishing is never refused for its estimate, but one above a tenth of what is available has "
    "to be accepted. Nothing was done.",
    "Compare the figures, then repeat the request with “accept_share”: true and a new "
    "Idempotency-Key.",
    {
        "estimate": Extra("What a month may cost, in credits.", "1004.4"),
        "available": Extra("What can be spent now.", "8369.4"),
    },
)
ANALYZER_FAILED = ProblemType(
    "analyzer_failed",
    503,
    "The calls and e-mails could not be read",
    "The language model did not answer within 60 seconds.",
    "What reads calls and e-mails gave no answer. Nothing was charged, and what was held for it "
    "was given back.",
    "With Retry-After, repeat the request after these seconds, with the same Idempotency-Key. "
    "Without it trying again does not help: ask something shorter, or tell whoever runs this site.",
)
CONVERSATION_ERASED = ProblemType(
    "conversation_erased",
    409,
    "This conversation was erased",
    "A conversation with this id was erased by request; it is not taken in again.",
    "What was erased stays erased, whatever is sent under its id. Nothing was done.",
    "Leave it out of what you send.",
)
