"""What the database has to say after everything has arrived, whatever the order it arrived in.

The oracle hears the story in its true order and shares no code with the
product.  What ended is compared as ended: a person who was deleted may have
left a row without any data, or none when the deletion came first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from faults.story import Event, Json

ROLES = {"org:admin": "admin", "org:instructor": "instructor"}
Facts = tuple[Any, ...]


@dataclass(slots=True)
class World:
    """Who exists, by Clerk's ids: people, schools and (school, person) members, each with its facts."""

    people: dict[str, Facts] = field(default_factory=dict)
    schools: dict[str, Facts] = field(default_factory=dict)
    members: dict[tuple[str, str], Facts] = field(default_factory=dict)


def expect(story: Iterable[Event]) -> World:
    """Return the world after the story, told in its true order."""
    people: dict[str, Json] = {}
    schools: dict[str, Json] = {}
    members: dict[tuple[str, str], Json] = {}
    for event in story:
        data = event.data
        if not event.readable:
            continue
        match event.event_type:
            case "user.created" | "user.updated":
                people[data["id"]] = data
            case "user.deleted":
                people.pop(data["id"], None)
                members = {key: value for key, value in members.items() if key[1] != data["id"]}
            case "organization.created" | "organization.updated":
                schools[data["id"]] = data
            case "organization.deleted":
                schools.pop(data["id"], None)
                members = {key: value for key, value in members.items() if key[0] != data["id"]}
            case "organizationMembership.created" | "organizationMembership.updated":
                members[_pair(data)] = data
            case "organizationMembership.deleted":
                members.pop(_pair(data), None)
    return World(
        {key: (*_person(value), value["updated_at"]) for key, value in people.items()},
        {key: _school(value) for key, value in schools.items()},
        {
            key: (
                ROLES.get(value["role"], "student"),
                *_person(people[key[1]]),
                value["id"],
                value["updated_at"],
            )
            for key, value in members.items()
        },
    )


def applications(story: Iterable[Event]) -> Counter[tuple[str, str, int]]:
    """Return how often each (table, Clerk's id, version) may be written: once per event that says it."""
    tables = {"user": "users", "organization": "organizations", "organizationMembership": "members"}
    said: Counter[tuple[str, str, int]] = Counter()
    for event in story:
        subject, _, verb = event.event_type.partition(".")
        if event.readable and subject in tables and verb in ("created", "updated"):
            said[tables[subject], event.data["id"], event.data["updated_at"]] += 1
    return said


_PEOPLE = """
select clerk_id, given_name, family_name, email, version from users
where deleted_at is null or email is not null or given_name <> '' or family_name <> ''
"""
# A school that closed must have no address; one that lives is found at its slug.
_SCHOOLS = """
select organizations.clerk_id, organizations.name, organizations.slug, organizations.time_zone,
       organizations.currency, organizations.version, subdomains.slug
from organizations
left join subdomains on subdomains.organization_id = organizations.id and subdomains.retired_at is null
where organizations.deleted_at is null or subdomains.slug is not null
"""
_MEMBERS = """
select organizations.clerk_id, members.clerk_user_id, members.role, members.given_name, members.family_name,
       members.email, members.clerk_membership_id, members.version
from members join organizations on organizations.id = members.organization_id
where members.removed_at is null
"""


def look(connection: psycopg.Connection) -> World:
    """Return the world as the database has it; the connection must see every school's rows."""
    return World(
        {row[0]: tuple(row[1:]) for row in connection.execute(_PEOPLE)},
        {row[0]: tuple(row[1:]) for row in connection.execute(_SCHOOLS)},
        {(row[0], row[1]): tuple(row[2:]) for row in connection.execute(_MEMBERS)},
    )


def differences(expected: World, found: World) -> list[str]:
    """Return a sentence for everything that is not as it should be."""
    sentences = []
    pairs: list[tuple[str, dict[Any, Facts], dict[Any, Facts]]] = [
        ("person", expected.people, found.people),
        ("school", expected.schools, found.schools),
        ("member", expected.members, found.members),
    ]
    for noun, wanted, there in pairs:
        for key in sorted(wanted.keys() | there.keys()):
            if key not in there:
                sentences.append(f"{noun} {key} is missing")
            elif key not in wanted:
                sentences.append(f"{noun} {key} should be gone, and is {there[key]}")
            elif wanted[key] != there[key]:
                sentences.append(f"{noun} {key} is {there[key]} instead of {wanted[key]}")
    return sentences


def _pair(data: Json) -> tuple[str, str]:
    return data["organization"]["id"], data["public_user_data"]["user_id"]


def _person(data: Json) -> Facts:
    email = next(
        (a["email_address"] for a in data["email_addresses"] if a["id"] == data["primary_email_address_id"]),
        None,
    )
    return data["first_name"], data["last_name"], email


def _school(data: Json) -> Facts:
    settings = data["public_metadata"]
    return (
        data["name"],
        data["slug"],
        settings["time_zone"],
        settings["currency"],
        data["updated_at"],
        data["slug"],
    )
