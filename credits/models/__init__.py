from credits.models.alerts import Alert, AlertKind, AlertMail, AlertState
from credits.models.api_keys import ApiKey, RequestTally, Scope
from credits.models.audit import AuditAction, AuditActor, AuditEvent, AuditText, Door
from credits.models.corrections import REASON_LENGTH_MIN, Correction, CorrectionKind
from credits.models.entries import (
    FREE_ACTIONS,
    AppendOnly,
    Cause,
    Drawdown,
    EntryKind,
    FeatureType,
    LedgerEntry,
    UsageAction,
    UsageEvent,
)
from credits.models.exports import ExportFormat, ExportJob, ExportState
from credits.models.integrations import Integration, IntegrationContext, IntegrationKind
from credits.models.jobs import JobRun
from credits.models.limits import LimitMail, LimitSubject, LimitUse, LimitWindow, SpendingLimit
from credits.models.people import Company, Membership, Role, SignInLink, User
from credits.models.pool import GENESIS_HASH, CreditGrant, CreditPool, Source, WrittenByTheLedger
from credits.models.rates import Rate, RateCard, RateItem
from credits.models.reservations import (
    LEASE_MAX,
    Hold,
    IdempotencyRecord,
    Operation,
    Reservation,
    ReservationState,
)
from credits.models.usage_days import UsageDay, UsageSum

__all__ = [
    "FREE_ACTIONS",
    "GENESIS_HASH",
    "LEASE_MAX",
    "REASON_LENGTH_MIN",
    "Alert",
    "AlertKind",
    "AlertMail",
    "AlertState",
    "ApiKey",
    "AppendOnly",
    "AuditAction",
    "AuditActor",
    "AuditEvent",
    "AuditText",
    "Cause",
    "Company",
    "Correction",
    "CorrectionKind",
    "CreditGrant",
    "CreditPool",
    "Door",
    "Drawdown",
    "EntryKind",
    "ExportFormat",
    "ExportJob",
    "ExportState",
    "FeatureType",
    "Hold",
    "IdempotencyRecord",
    "Integration",
    "IntegrationContext",
    "IntegrationKind",
    "JobRun",
    "LedgerEntry",
    "LimitMail",
    "LimitSubject",
    "LimitUse",
    "LimitWindow",
    "Membership",
    "Operation",
    "Rate",
    "RateCard",
    "RateItem",
    "RequestTally",
    "Reservation",
    "ReservationState",
    "Role",
    "Scope",
    "SignInLink",
    "Source",
    "SpendingLimit",
    "UsageAction",
    "UsageDay",
    "UsageEvent",
    "UsageSum",
    "User",
    "WrittenByTheLedger",
]
