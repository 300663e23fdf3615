"""A made-up year of schools and people, as Clerk would announce it, and the disorder in which it arrives."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

T0 = 1_767_225_600_000
ROLES = ("org:member", "org:member", "org:member", "org:instructor", "org:admin")
UNRELATED = (
    "session.created",
    "session.ended",
    "email.created",
    "organizationInvitation.created",
    "role.updated",
)
GIVEN = ("Ada", "Bo", "Chiara", "Dele", "Élise", "Farid", "Grete", "Hiro", "Inés", "Jomo", "Kaja", "Lân")
FAMILY = ("Andersen", "Baptiste", "Castro", "Dvořák", "Eze", "Fujita", "García", "Hansen", "Iyer", "Jónsson")
SUBJECTS = ("Music", "Yoga", "Tutoring", "Chess", "Dance", "Drawing", "Cooking", "Language")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
CURRENCIES = ("EUR", "USD", "INR", "AUD")


@dataclass(frozen=True, slots=True)
class Event:
    """One event as its sender knows it.  ``readable`` is False for what was signed but says nothing."""

    message_id: str
    event_type: str
    data: Json
    readable: bool = True

    def body(self) -> bytes:
        """Return the bytes that are signed and sent, the same at every attempt."""
        envelope = {"object": "event", "type": self.event_type, "data": self.data, "instance_id": "ins_chaos"}
        return json.dumps(envelope, ensure_ascii=False).encode()


@dataclass(slots=True)
class _Person:
    id: str
    number: int
    given_name: str
    family_name: str
    email: str


@dataclass(slots=True)
class _School:
    id: str
    number: int
    name: str
    slug: str
    zone: str
    currency: str
    members: dict[str, Json] = field(default_factory=dict)


def tell_story(events: int, *, seed: int) -> list[Event]:
    """Return ``events`` events in the order in which they truly happened; the same for the same seed.

    No subdomain is ever wanted by two schools: who gets it is decided by who
    comes first, so no order of arrival could be called the right one.
    """
    return _Author(seed).write(events)


def shuffle(story: list[Event], *, seed: int, duplicates: float) -> list[int]:
    """Return the order of delivery: indexes into the story, ``duplicates`` of them a second time.

    Most events trade places with their neighbours, so that related ones
    overtake each other; every tenth goes anywhere.  Of the duplicates half
    follow at once, beside the first delivery, half come some time later.
    """
    dice = random.Random(seed)
    places = []
    for index in range(len(story)):
        far = dice.random() < 0.1
        places.append((dice.uniform(0, len(story)) if far else index + dice.uniform(-40, 40), index))
    again = dice.sample(places, round(len(story) * duplicates))
    places += [(place + dice.choice((0, dice.uniform(5, 400))), index) for place, index in again]
    return [index for _, index in sorted(places)]


class _Author:
    """Keeps the truth while the story is written, so that only what can happen does."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._seed = seed
        self._now = T0
        self._events: list[Event] = []
        self._people: list[_Person] = []
        self._schools: list[_School] = []
        self._made = 0

    def write(self, events: int) -> list[Event]:
        actions = [
            (16, self._sign_up),
            (18, self._rename_person),
            (3, self._close_account),
            (5, self._found_school),
            (10, self._change_school),
            (1, self._close_school),
            (22, self._join),
            (12, self._change_role),
            (10, self._leave),
            (6, self._leave_and_come_back),
            (4, self._unrelated),
            (1, self._nonsense),
        ]
        for _ in range(4):
            self._found_school()
            self._sign_up()
        while len(self._events) < events:
            self._dice.choices([act for _, act in actions], [weight for weight, _ in actions])[0]()
        return self._events[:events]

    def _say(self, event_type: str, data: Json, *, readable: bool = True) -> None:
        message_id = f"msg_{self._seed}_{len(self._events):06d}"
        # A copy of its own: the schools and memberships of the story go on changing.
        self._events.append(Event(message_id, event_type, json.loads(json.dumps(data)), readable))

    def _tick(self) -> int:
        self._now += self._dice.randint(1, 5_000)
        return self._now

    def _id(self, prefix: str) -> str:
        self._made += 1
        return f"{prefix}_{self._seed}x{self._made}"

    def _tied(self) -> bool:
        """Clerk often changes a thing within the millisecond of its creation; then only the type tells."""
        return self._dice.random() < 0.15

    # People

    def _sign_up(self) -> None:
        number = self._made + 1
        person = _Person(self._id("user"), number, "New", "Person", f"person{number}@example.com")
        self._name(person)
        at = self._tick()
        self._people.append(person)
        self._say("user.created", self._user(person, at))
        if self._tied():
            self._name(person)
            self._say("user.updated", self._user(person, at))

    def _name(self, person: _Person) -> None:
        person.given_name = self._dice.choice(GIVEN)
        person.family_name = f"{self._dice.choice(FAMILY)} {self._dice.randint(1, 999)}"

    def _rename_person(self) -> None:
        person = self._recent(self._people)
        if self._dice.random() < 0.3:
            person.email = f"person{person.number}.{self._dice.randint(1, 999)}@example.com"
        self._name(person)
        self._say("user.updated", self._user(person, self._tick()))

    def _close_account(self) -> None:
        if len(self._people) < 4:
            return
        person = self._recent(self._people)
        self._people.remove(person)
        for school in self._schools:
            membership = school.members.pop(person.id, None)
            # Clerk promises no event for each membership, and sometimes sends one.
            if membership is not None and self._dice.random() < 0.5:
                self._say("organizationMembership.deleted", membership)
        self._say("user.deleted", {"object": "user", "id": person.id, "deleted": True})
        self._tick()

    def _user(self, person: _Person, at: int) -> Json:
        addresses = [("idn_old", f"old{person.number}@example.com"), ("idn_now", person.email)]
        return {
            "object": "user",
            "id": person.id,
            "first_name": person.given_name,
            "last_name": person.family_name,
            "image_url": "https://img.example.com/p",
            "has_image": False,
            "primary_email_address_id": "idn_now",
            "email_addresses": [{"id": key, "email_address": address} for key, address in addresses],
            "updated_at": at,
        }

    # Schools

    def _found_school(self) -> None:
        number = self._made + 1
        school = _School(self._id("org"), number, "", f"school-{number}", "Europe/Berlin", "EUR")
        self._describe(school)
        at = self._tick()
        self._schools.append(school)
        self._say("organization.created", self._organization(school, at))
        if self._tied():
            self._describe(school)
            self._say("organization.updated", self._organization(school, at))

    def _describe(self, school: _School) -> None:
        school.name = f"{self._dice.choice(GIVEN)}'s {self._dice.choice(SUBJECTS)} School {school.number}"
        school.zone, school.currency = self._dice.choice(ZONES), self._dice.choice(CURRENCIES)

    def _change_school(self) -> None:
        school = self._recent(self._schools)
        if self._dice.random() < 0.4:
            # Every third move goes back to where the school was before.
            ending = self._dice.choice(("", "-east", "-west"))
            school.slug = f"school-{school.number}{ending}"
        self._describe(school)
        self._say("organization.updated", self._organization(school, self._tick()))

    def _close_school(self) -> None:
        if len(self._schools) < 4:
            return
        school = self._recent(self._schools)
        self._schools.remove(school)
        for membership in school.members.values():
            if self._dice.random() < 0.3:
                self._say("organizationMembership.deleted", membership)
        self._say("organization.deleted", {"object": "organization", "id": school.id, "deleted": True})
        self._tick()

    def _organization(self, school: _School, at: int) -> Json:
        return {
            "object": "organization",
            "id": school.id,
            "name": school.name,
            "slug": school.slug,
            "has_image": False,
            # All of it every time: what is not said stays as it was, which depends on what was heard before.
            "public_metadata": {"time_zone": school.zone, "currency": school.currency},
            "updated_at": at,
        }

    # Memberships

    def _join(self) -> None:
        school, person = self._recent(self._schools), self._recent(self._people)
        if person.id not in school.members:
            self._let_in(school, person.id)

    def _let_in(self, school: _School, user_id: str) -> None:
        at = self._tick()
        membership: Json = {
            "object": "organization_membership",
            "id": self._id("orgmem"),
            "role": self._dice.choice(ROLES),
            "organization": {"id": school.id, "object": "organization"},
            "public_user_data": {"user_id": user_id},
            "updated_at": at,
        }
        school.members[user_id] = membership
        self._say("organizationMembership.created", membership)
        if self._tied():
            membership["role"] = self._dice.choice(ROLES)
            self._say("organizationMembership.updated", membership)

    def _change_role(self) -> None:
        school = self._recent(self._schools)
        if school.members:
            membership = self._recent(list(school.members.values()))
            membership |= {"role": self._dice.choice(ROLES), "updated_at": self._tick()}
            self._say("organizationMembership.updated", membership)

    def _leave(self) -> None:
        school = self._recent(self._schools)
        if not school.members:
            return
        self._say("organizationMembership.deleted", school.members.pop(self._recent(list(school.members))))
        self._tick()

    def _leave_and_come_back(self) -> None:
        school = self._recent(self._schools)
        if school.members:
            user_id = self._recent(list(school.members))
            self._say("organizationMembership.deleted", school.members.pop(user_id))
            self._let_in(school, user_id)

    # The rest

    def _unrelated(self) -> None:
        at = self._tick()
        self._say(self._dice.choice(UNRELATED), {"id": self._id("obj"), "object": "other", "updated_at": at})

    def _nonsense(self) -> None:
        self._say("user.updated", {"object": "user", "first_name": "Nobody"}, readable=False)

    def _recent(self, things: list[Any]) -> Any:
        """Choose one, mostly among the latest: related events happen close to each other."""
        return self._dice.choice(things[-12:] if self._dice.random() < 0.7 else things)
