"""The activity log below /api/v1; there is nothing else to do with it than to read it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.tenants import guards
from coursecove.tenants.activity import FactFilter, FactPage, list_facts
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.instants import instant_in
from coursecove.tenants.models import Member
from coursecove.text import is_storable


class ActivityController(Controller):
    """Who changed what, when, from what to what."""

    path = "/activity"
    tags = ["Organization"]
    dependencies = {"by": Provide(guards.as_admin)}

    @get(operation_id="list_activity", summary="What happened")
    async def list_activity(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        person_id: FromQuery[uuid.UUID | None] = None,
        action: Annotated[
            str | None,
            QueryParameter(max_length=80, description="The beginning of an action, such as `booking.`."),
        ] = None,
        search: Annotated[str | None, QueryParameter(max_length=200)] = None,
        from_: Annotated[
            datetime | None, QueryParameter(name="from", description="Earliest, with an offset.")
        ] = None,
        until: Annotated[
            datetime | None, QueryParameter(name="until", description="Exclusive, with an offset.")
        ] = None,
        page: Annotated[int, QueryParameter(ge=1, le=100_000)] = 1,
        page_size: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> FactPage:
        """Return a page of facts, the latest first; for admins.

        `person_id` means what that member did and what was done about them. A
        field of `data` that was changed is `{"from": …, "to": …}`. Nobody can
        change or delete a fact.
        """
        del by
        wanted = FactFilter(
            person_id=person_id,
            actions=(action,) if action else (),
            from_=instant_in(request, "from", from_),
            until=instant_in(request, "until", until),
            search=search or "",
        )
        if not all(is_storable(text) for text in (search or "", action or "")):
            return FactPage([], 0, page, page_size)
        return await list_facts(session, wanted, page=page, page_size=page_size)
