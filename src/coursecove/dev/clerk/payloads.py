"""Clerk's objects, field by field as its API and its webhooks show them."""

from __future__ import annotations

from typing import Any

from coursecove.dev.clerk.records import Invitation, Membership, Organization, Session, State, User

Json = dict[str, Any]

#: What the roles of the stand-in may do, for the permissions in objects and tokens.
ROLE_NAMES = {"org:admin": "Admin", "org:instructor": "Instructor", "org:member": "Member"}
ROLE_PERMISSIONS = {
    "org:admin": ["org:lessons:manage", "org:lessons:read"],
    "org:instructor": ["org:lessons:read"],
    "org:member": [],
}


class Payloads:
    """Builds objects out of the state; image addresses point at the stand-in itself."""

    def __init__(self, state: State, issuer: str) -> None:
        self._state = state
        self._issuer = issuer

    def user(self, user: User) -> Json:
        """A user, with every address and every setting Clerk would show."""
        image = self._image(user.id)
        return {
            "id": user.id,
            "object": "user",
            "username": None,
            "first_name": user.first_name or None,
            "last_name": user.last_name or None,
            "image_url": image,
            "profile_image_url": image,
            "has_image": False,
            "primary_email_address_id": user.email_id,
            "primary_phone_number_id": None,
            "primary_web3_wallet_id": None,
            "password_enabled": False,
            "two_factor_enabled": False,
            "totp_enabled": False,
            "backup_code_enabled": False,
            "email_addresses": [
                {
                    "id": user.email_id,
                    "object": "email_address",
                    "email_address": user.email,
                    "reserved": False,
                    "verification": {
                        "status": "verified",
                        "strategy": "email_code",
                        "attempts": 1,
                        "expire_at": user.created_at + 600_000,
                    },
                    "linked_to": [],
                    "created_at": user.created_at,
                    "updated_at": user.created_at,
                }
            ],
            "phone_numbers": [],
            "web3_wallets": [],
            "passkeys": [],
            "external_accounts": [],
            "saml_accounts": [],
            "enterprise_accounts": [],
            "public_metadata": {},
            "private_metadata": {},
            "unsafe_metadata": {},
            "external_id": None,
            "last_sign_in_at": user.last_sign_in_at,
            "banned": False,
            "locked": False,
            "lockout_expires_in_seconds": None,
            "verification_attempts_remaining": 100,
            "created_at": user.created_at,
            "updated_at": user.updated_at,
            "delete_self_enabled": True,
            "create_organization_enabled": True,
            "last_active_at": user.last_sign_in_at or user.created_at,
            "legal_accepted_at": None,
        }

    def organization(self, organization: Organization) -> Json:
        """An organization, with its counts."""
        state = self._state
        return {
            "object": "organization",
            "id": organization.id,
            "name": organization.name,
            "slug": organization.slug,
            "image_url": self._image(organization.id),
            "has_image": False,
            "members_count": sum(m.organization_id == organization.id for m in state.memberships.values()),
            "pending_invitations_count": sum(
                i.organization_id == organization.id and i.status == "pending"
                for i in state.invitations.values()
            ),
            "max_allowed_memberships": 0,
            "admin_delete_enabled": True,
            "public_metadata": {},
            "private_metadata": {},
            "created_by": organization.created_by,
            "created_at": organization.created_at,
            "updated_at": organization.updated_at,
        }

    def membership(self, membership: Membership) -> Json:
        """A membership, with the whole organization and the public part of the user."""
        user = self._state.users[membership.user_id]
        image = self._image(user.id)
        return {
            "object": "organization_membership",
            "id": membership.id,
            "role": membership.role,
            "role_name": ROLE_NAMES[membership.role],
            "permissions": ROLE_PERMISSIONS[membership.role],
            "public_metadata": {},
            "private_metadata": {},
            "organization": self.organization(self._state.organizations[membership.organization_id]),
            "public_user_data": {
                "user_id": user.id,
                "first_name": user.first_name or None,
                "last_name": user.last_name or None,
                "profile_image_url": image,
                "image_url": image,
                "has_image": False,
                "identifier": user.email,
                "username": None,
                "banned": False,
            },
            "created_at": membership.created_at,
            "updated_at": membership.updated_at,
        }

    def invitation(self, invitation: Invitation) -> Json:
        """An invitation; the user appears once it was accepted."""
        shown: Json = {
            "object": "organization_invitation",
            "id": invitation.id,
            "email_address": invitation.email,
            "role": invitation.role,
            "role_name": ROLE_NAMES[invitation.role],
            "organization_id": invitation.organization_id,
            "inviter_id": invitation.inviter_id,
            "status": invitation.status,
            "public_metadata": {},
            "private_metadata": {},
            "url": f"{self._issuer}/invitations/{invitation.id}",
            "expires_at": invitation.expires_at,
            "created_at": invitation.created_at,
            "updated_at": invitation.updated_at,
        }
        if invitation.user_id:
            shown["user_id"] = invitation.user_id
        return shown

    def session(self, session: Session) -> Json:
        """A session, with the whole user embedded as the webhooks have it."""
        user = self._state.users.get(session.user_id)
        return {
            "object": "session",
            "id": session.id,
            "user_id": session.user_id,
            "client_id": session.client_id,
            "status": session.status,
            "actor": None,
            "last_active_organization_id": session.last_active_organization_id,
            "last_active_at": session.updated_at,
            "expire_at": session.created_at + 7 * 86_400_000,
            "abandon_at": session.created_at + 30 * 86_400_000,
            "created_at": session.created_at,
            "updated_at": session.updated_at,
            "user": self.user(user) if user else None,
        }

    def _image(self, subject_id: str) -> str:
        return f"{self._issuer}/avatars/{subject_id}.svg"
