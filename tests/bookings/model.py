"""The lessons and the class of a random walk as they should be: a few lists and obvious loops."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

MINUTES, AFTER = 45, 15
SEATS = 2

State = Literal["held", "confirmed"]


@dataclass
class Lesson:
    """A private lesson in the model."""

    id: uuid.UUID
    student: str
    teacher: str
    type: str
    start: datetime
    state: State
    booker: str = ""
    ran_out: bool = False

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=MINUTES)

    @property
    def blocked_until(self) -> datetime:
        return self.end + timedelta(minutes=AFTER)

    @property
    def stands(self) -> bool:
        return not self.ran_out


@dataclass
class Waiting:
    """Somebody on the list."""

    id: uuid.UUID
    student: str
    offered: bool = False
    ran_out: bool = False


@dataclass
class Choir:
    """The class of a walk: two seats, in the model."""

    id: uuid.UUID
    start: datetime
    seats: dict[uuid.UUID, tuple[str, State]] = field(default_factory=dict)
    ran_out: set[uuid.UUID] = field(default_factory=set)
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=MINUTES)

    def taken(self) -> int:
        return len(self.seats) + sum(one.offered for one in self.waiting)

    def offer(self) -> None:
        """Offer what is free to who waited longest."""
        for one in self.waiting:
            if not one.offered and self.taken() < SEATS:
                one.offered = True

    def let_go(self) -> None:
        """What has run out makes way, one after the other, as the product does it: holds, then offers."""
        for booking_id in list(self.ran_out):
            self.seats.pop(booking_id, None)
            self.offer()
        self.ran_out.clear()
        lapsed = [one for one in self.waiting if one.ran_out]
        for one in lapsed:
            self.waiting.remove(one)
            self.offer()

    def after_letting_go(self) -> Choir:
        copy = Choir(
            self.id,
            self.start,
            dict(self.seats),
            set(self.ran_out),
            [Waiting(one.id, one.student, one.offered, one.ran_out) for one in self.waiting],
        )
        copy.let_go()
        return copy
