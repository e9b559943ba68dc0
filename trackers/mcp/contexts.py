"""What a client may read: all of its company, or what one person or their team took part in."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from credits.models import ApiKey, Company, IntegrationContext, UsageAction, User
from trackers.models import Conversation, Participant, TeamMember
from trackers.requesters import Requester

# Names nobody: answers are kept.
NARROWING = (
    "This client reads only calls and e-mails in which its person, or somebody of their team, took "
    "part."
)


@dataclass(frozen=True, slots=True)
class PersonalRequester(Requester):
    """Asks within one person's conversations, and is never given an answer made from more."""

    @property
    def context(self) -> str:
        assert self.integration is not None
        return f"person {self.integration.person_id}"

    @property
    def narrowing(self) -> str:
        return NARROWING


def requester(*, key: ApiKey, request_id: str) -> Requester:
    """Return who asks by a key at this door."""
    integration = key.integration
    is_personal = integration is not None and integration.context == IntegrationContext.PERSONAL
    person = integration.person if integration is not None and is_personal else None
    kind = PersonalRequester if is_personal else Requester
    return kind(
        company=key.company,
        action=UsageAction.MCP_REQUEST,
        user=person or key.created_by,
        api_key=key,
        integration=integration,
        request_id=request_id,
        conversations=Q() if person is None else taken_part_in(company=key.company, person=person),
    )


def reads_nothing(*, company: Company, person: User) -> bool:
    """Tell whether a personal client of the person would find no call or e-mail now."""
    mine = taken_part_in(company=company, person=person)
    return not Conversation.objects.filter(mine, company=company).exists()


def taken_part_in(*, company: Company, person: User) -> Q:
    """Return the conversations that a person or a colleague of their team was in.

    A person is the team members that are their login or have the same address; the team that a
    conversation arrived with counts too. Who is no team member reads none.
    """
    is_theirs = Q(user=person) | Q(email__iexact=person.email)
    mine = list(TeamMember.objects.filter(is_theirs, company=company))
    teams = {member.team_id for member in mine if member.team_id is not None}
    members = {member.pk for member in mine}
    members |= set(
        TeamMember.objects.filter(company=company, team__in=teams).values_list("pk", flat=True)
    )
    took_part = Participant.objects.filter(company=company, team_member__in=members)
    # Through a subquery: a join would give a conversation once for each of them who was in it.
    return Q(team__in=teams) | Q(owner__in=members) | Q(pk__in=took_part.values("conversation"))
