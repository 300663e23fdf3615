"""The verbs that change people, organizations and who belongs to which, each announced as Clerk would."""

from __future__ import annotations

import re
import unicodedata

from coursecove.dev.clerk.errors import ClerkRefusal, not_found
from coursecove.dev.clerk.outbox import Outbox
from coursecove.dev.clerk.payloads import ROLE_NAMES, Payloads
from coursecove.dev.clerk.records import Invitation, Membership, Organization, User
from coursecove.dev.clerk.store import Store, new_id

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_DAY = 86_400_000


class Directory:
    """People, organizations, memberships, invitations.

    Every verb raises :class:`~coursecove.dev.clerk.errors.ClerkRefusal` with
    Clerk's error code when it cannot be done, and writes the state down with
    the event that follows from it.
    """

    def __init__(self, store: Store, payloads: Payloads, outbox: Outbox) -> None:
        self._store = store
        self._state = store.state
        self._payloads = payloads
        self._outbox = outbox

    # People

    def get_user(self, user_id: str) -> User:
        """Return a person."""
        user = self._state.users.get(user_id)
        if user is None:
            raise not_found("user", user_id)
        return user

    def find_user_by_email(self, email: str) -> User | None:
        """Return whoever has this address, whatever its case."""
        wanted = email.strip().lower()
        return next((u for u in self._state.users.values() if u.email.lower() == wanted), None)

    def create_user(self, first_name: str, last_name: str, email: str, *, user_id: str | None = None) -> User:
        """Sign somebody up.  ``user.created``."""
        email = _checked_email(email)
        if self.find_user_by_email(email):
            raise ClerkRefusal(
                422,
                "form_identifier_exists",
                "That email address is taken. Please try another.",
                parameter="email_address",
            )
        now = self._store.tick()
        user = User(
            id=user_id or new_id("user"),
            email_id=new_id("idn"),
            email=email,
            first_name=first_name.strip(),
            last_name=last_name.strip(),
            created_at=now,
            updated_at=now,
        )
        self._state.users[user.id] = user
        self._outbox.announce("user.created", self._payloads.user(user))
        self._store.save()
        return user

    def update_user(self, user_id: str, *, first_name: str | None = None, last_name: str | None = None) -> User:
        """Change somebody's name; None leaves a part as it is.  ``user.updated``."""
        user = self.get_user(user_id)
        if first_name is not None:
            user.first_name = first_name.strip()
        if last_name is not None:
            user.last_name = last_name.strip()
        self.touch_user(user)
        return user

    def touch_user(self, user: User) -> None:
        """Announce that something about a person changed.  ``user.updated``."""
        user.updated_at = self._store.tick()
        self._outbox.announce("user.updated", self._payloads.user(user))
        self._store.save()

    def delete_user(self, user_id: str) -> User:
        """Take a person away.

        Only ``user.deleted`` follows: Clerk promises no event per membership,
        so the stand-in sends none and whoever listens has to cascade.
        """
        user = self.get_user(user_id)
        state = self._state
        state.memberships = {k: m for k, m in state.memberships.items() if m.user_id != user_id}
        for session in state.sessions.values():
            if session.user_id == user_id and session.status == "active":
                session.status = "removed"
        del state.users[user_id]
        self._outbox.announce("user.deleted", {"object": "user", "id": user_id, "deleted": True})
        self._store.save()
        return user

    # Organizations

    def get_organization(self, id_or_slug: str) -> Organization:
        """Return an organization by id or slug."""
        for organization in self._state.organizations.values():
            if id_or_slug in (organization.id, organization.slug):
                return organization
        raise not_found("organization", id_or_slug)

    def create_organization(
        self,
        name: str,
        *,
        slug: str | None = None,
        created_by: str | None = None,
        organization_id: str | None = None,
    ) -> Organization:
        """Found a school; whoever founds it becomes its admin.

        ``organization.created``, then ``organizationMembership.created``.
        """
        name = name.strip()
        if not name:
            raise ClerkRefusal(422, "form_param_missing", "A name is needed.", parameter="name")
        slug = self._free_slug(slug or _slug_of(name))
        if created_by is not None:
            self.get_user(created_by)
        now = self._store.tick()
        organization = Organization(
            id=organization_id or new_id("org"),
            name=name,
            slug=slug,
            created_by=created_by,
            created_at=now,
            updated_at=now,
        )
        self._state.organizations[organization.id] = organization
        self._outbox.announce("organization.created", self._payloads.organization(organization))
        if created_by is not None:
            self.create_membership(organization.id, created_by, "org:admin")
        self._store.save()
        return organization

    def update_organization(
        self, id_or_slug: str, *, name: str | None = None, slug: str | None = None
    ) -> Organization:
        """Rename a school.  ``organization.updated``."""
        organization = self.get_organization(id_or_slug)
        if name is not None and name.strip():
            organization.name = name.strip()
        if slug is not None and slug != organization.slug:
            organization.slug = self._free_slug(slug)
        organization.updated_at = self._store.tick()
        self._outbox.announce("organization.updated", self._payloads.organization(organization))
        self._store.save()
        return organization

    def delete_organization(self, id_or_slug: str) -> Organization:
        """Take a school away, with its memberships.  ``organization.deleted`` alone, as with people."""
        organization = self.get_organization(id_or_slug)
        state, gone = self._state, organization.id
        state.memberships = {k: m for k, m in state.memberships.items() if m.organization_id != gone}
        state.invitations = {k: i for k, i in state.invitations.items() if i.organization_id != gone}
        for session in state.sessions.values():
            if session.last_active_organization_id == gone:
                session.last_active_organization_id = None
        del state.organizations[gone]
        self._outbox.announce(
            "organization.deleted",
            {"object": "organization", "id": gone, "slug": organization.slug, "deleted": True},
        )
        self._store.save()
        return organization

    # Memberships

    def memberships_of(
        self, *, user_id: str | None = None, organization_id: str | None = None
    ) -> list[Membership]:
        """Return memberships of a person, a school or both, oldest first."""
        return [
            membership
            for membership in self._state.memberships.values()
            if user_id in (None, membership.user_id) and organization_id in (None, membership.organization_id)
        ]

    def get_membership(self, organization_id: str, user_id: str) -> Membership:
        """Return a person's membership of a school."""
        found = self.memberships_of(user_id=user_id, organization_id=organization_id)
        if not found:
            raise not_found("membership", user_id)
        return found[0]

    def create_membership(self, organization_id: str, user_id: str, role: str) -> Membership:
        """Put a person into a school.  ``organizationMembership.created``."""
        organization, user = self.get_organization(organization_id), self.get_user(user_id)
        if self.memberships_of(user_id=user.id, organization_id=organization.id):
            raise ClerkRefusal(
                400,
                "already_a_member_in_organization",
                f"{user.name} is already a member of {organization.name}.",
            )
        now = self._store.tick()
        membership = Membership(
            id=new_id("orgmem"),
            organization_id=organization.id,
            user_id=user.id,
            role=_checked_role(role),
            created_at=now,
            updated_at=now,
        )
        self._state.memberships[membership.id] = membership
        self._announce_membership("created", membership)
        return membership

    def change_role(self, organization_id: str, user_id: str, role: str) -> Membership:
        """Give a member another role.  ``organizationMembership.updated``."""
        membership = self.get_membership(organization_id, user_id)
        membership.role = _checked_role(role)
        membership.updated_at = self._store.tick()
        self._announce_membership("updated", membership)
        return membership

    def delete_membership(self, organization_id: str, user_id: str) -> Membership:
        """Take a person out of a school.  ``organizationMembership.deleted``, with the full membership."""
        membership = self.get_membership(organization_id, user_id)
        membership.updated_at = self._store.tick()
        del self._state.memberships[membership.id]
        for session in self._state.sessions.values():
            if (session.user_id, session.last_active_organization_id) == (user_id, organization_id):
                session.last_active_organization_id = None
        self._announce_membership("deleted", membership)
        return membership

    def _announce_membership(self, what: str, membership: Membership) -> None:
        self._outbox.announce(f"organizationMembership.{what}", self._payloads.membership(membership))
        self._store.save()

    # Invitations

    def get_invitation(self, invitation_id: str) -> Invitation:
        """Return an invitation."""
        invitation = self._state.invitations.get(invitation_id)
        if invitation is None:
            raise not_found("invitation", invitation_id)
        return invitation

    def invite(
        self,
        organization_id: str,
        email: str,
        role: str,
        *,
        inviter_id: str | None = None,
        redirect_url: str | None = None,
        expires_in_days: int = 30,
    ) -> Invitation:
        """Invite an address into a school.  ``organizationInvitation.created``."""
        organization, email = self.get_organization(organization_id), _checked_email(email)
        for other in self._state.invitations.values():
            same = other.organization_id == organization.id and other.email.lower() == email.lower()
            if same and other.status == "pending":
                raise ClerkRefusal(400, "duplicate_record", f"{email} is already invited.")
        invited = self.find_user_by_email(email)
        if invited and self.memberships_of(user_id=invited.id, organization_id=organization.id):
            raise ClerkRefusal(400, "already_a_member_in_organization", f"{email} is already a member.")
        now = self._store.tick()
        invitation = Invitation(
            id=new_id("orginv"),
            organization_id=organization.id,
            email=email,
            role=_checked_role(role),
            inviter_id=inviter_id,
            redirect_url=redirect_url,
            created_at=now,
            updated_at=now,
            expires_at=now + expires_in_days * _DAY,
        )
        self._state.invitations[invitation.id] = invitation
        self._announce_invitation("created", invitation)
        return invitation

    def revoke_invitation(self, invitation_id: str) -> Invitation:
        """Take an invitation back.  ``organizationInvitation.revoked``."""
        invitation = self._pending_invitation(invitation_id)
        invitation.status = "revoked"
        invitation.updated_at = self._store.tick()
        self._announce_invitation("revoked", invitation)
        return invitation

    def accept_invitation(self, invitation_id: str, *, first_name: str = "", last_name: str = "") -> User:
        """Accept an invitation; somebody new signs up on the way and needs a name.

        ``user.created`` when new, ``organizationMembership.created``,
        ``organizationInvitation.accepted``.
        """
        invitation = self._pending_invitation(invitation_id)
        user = self.find_user_by_email(invitation.email)
        if user is None:
            user = self.create_user(first_name, last_name, invitation.email)
        if not self.memberships_of(user_id=user.id, organization_id=invitation.organization_id):
            self.create_membership(invitation.organization_id, user.id, invitation.role)
        invitation.status, invitation.user_id = "accepted", user.id
        invitation.updated_at = self._store.tick()
        self._announce_invitation("accepted", invitation)
        return user

    def _pending_invitation(self, invitation_id: str) -> Invitation:
        invitation = self.get_invitation(invitation_id)
        if invitation.status != "pending":
            raise ClerkRefusal(
                400, "invitation_not_pending", f"The invitation was {invitation.status} already."
            )
        return invitation

    def _announce_invitation(self, what: str, invitation: Invitation) -> None:
        self._outbox.announce(f"organizationInvitation.{what}", self._payloads.invitation(invitation))
        self._store.save()

    def _free_slug(self, slug: str) -> str:
        slug = slug.strip().lower()
        if not _SLUG.fullmatch(slug):
            raise ClerkRefusal(
                422,
                "form_param_format_invalid",
                "The slug may hold a-z, 0-9 and dashes between them.",
                parameter="slug",
            )
        if any(o.slug == slug for o in self._state.organizations.values()):
            raise ClerkRefusal(422, "form_identifier_exists", f"The slug {slug} is taken.", parameter="slug")
        return slug


def _checked_email(email: str) -> str:
    email = email.strip()
    if not _EMAIL.fullmatch(email):
        raise ClerkRefusal(
            422,
            "form_param_format_invalid",
            "Please enter a valid email address.",
            parameter="email_address",
        )
    return email


def _checked_role(role: str) -> str:
    if role not in ROLE_NAMES:
        raise ClerkRefusal(404, "resource_not_found", f"There is no role {role}.", parameter="role")
    return role


def _slug_of(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
