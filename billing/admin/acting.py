"""The base of billing's acts: what its operations may answer a person with."""

from __future__ import annotations

from billing import contracts, purchases, seats, zoning
from credits import grants, invitations
from credits.admin import acting
from credits.companies import CompanyClosed


class Act(acting.Act):
    """One act on companies, contracts and purchases; anything but a refusal is a fault of ours."""

    refusals = (
        purchases.PurchaseRefused,
        contracts.ContractRefused,
        seats.SeatsRefused,
        zoning.ZoneRefused,
        invitations.InvitationRefused,
        CompanyClosed,
        grants.GrantExpiresBeforeItStarts,
    )
