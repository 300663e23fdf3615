"""The web process: its table of contents.

Two sets of routes stand behind one door (:mod:`coursecove.gateway`): those of a
school, on its subdomain, and those of the bare domain, which also answers what
belongs to no host (health, metrics, webhooks, static files).
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency, Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Server, Tag
from litestar.routes import BaseRoute
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Send
from sqlalchemy.ext.asyncio import AsyncSession

import coursecove.tenants.inbound  # noqa: F401 - registers what the events of Clerk mean
from coursecove import problems, startup
from coursecove.api import API_HANDLERS, ApiRequest, describe_refusals
from coursecove.compression import compress
from coursecove.config import Settings, load_settings, project_data
from coursecove.db.gauges import StoredGauges
from coursecove.db.session import NOBODY, Acting, Database
from coursecove.gateway import Gateway
from coursecove.health import HEALTH_HANDLERS
from coursecove.identity.authentication import Authenticator, SignedIn
from coursecove.logs import configure_logging
from coursecove.observability import observe
from coursecove.portals import PLATFORM_HANDLERS, SCHOOL_HANDLERS, pages
from coursecove.portals.errors import as_page, gateway_page
from coursecove.rate_limits import RateLimits
from coursecove.resources import Resources, open_resources
from coursecove.tenants.directory import Directory
from coursecove.tenants.reconciliation.gauges import ReconciliationGauges
from coursecove.tenants.schemas import OrganizationView
from coursecove.webhooks import signatures
from coursecove.webhooks.controllers import clerk_webhook
from coursecove.webhooks.gauges import LedgerGauges

MAX_BODY_BYTES = 1_000_000


async def provide_session(
    request: Request[Any, Any, Any], organization: NamedDependency[OrganizationView]
) -> AsyncIterator[AsyncSession]:
    """Yield the unit of work of this request: one transaction inside the host's organization.

    It acts for the person of the token; what they may see of other people's
    rows follows from their membership, once that has been read.

    Commits when the handler returns, rolls back when it raises.
    """
    resources: Resources = request.app.state.resources
    identity = request.scope["state"]["identity"]
    acting = Acting(clerk_user_id=identity.claims.user_id) if isinstance(identity, SignedIn) else NOBODY
    async with resources.database.organization(organization.id, acting=acting) as session:
        yield session


def stored_gauges(database: Database) -> list[StoredGauges]:
    """Return what ``/metrics`` reads from the database, each to be read anew."""
    return [LedgerGauges(database), ReconciliationGauges(database)]


def provide_organization(request: Request[Any, Any, Any]) -> OrganizationView:
    """Return the school of this host."""
    organization: OrganizationView = request.scope["state"]["organization"]
    return organization


def render_failure(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer any failure: a problem document below ``/api``, a page elsewhere."""
    path = request.scope["path"]
    if path.startswith(("/api/", "/health/")) or path == "/metrics":
        status, body, headers = problems.encode(error)
        return Response(body, status_code=status, media_type=problems.PROBLEM_JSON, headers=headers)
    return as_page(request, error)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="CourseCove API",
        version="1",
        description=(
            "Everything a school can do on its pages, for programs. Call it on the school's own "
            "subdomain with a Clerk session token: `Authorization: Bearer …`. Instants are ISO 8601 "
            "with an offset, durations are minutes, prices are integer minor units. Failures are "
            "`application/problem+json` with a stable `code`."
        ),
        servers=[Server(url="/", description="The school's own subdomain")],
        security=[{"session": []}, {}],
        components=Components(
            security_schemes={
                "session": SecurityScheme(
                    type="http", scheme="bearer", bearer_format="JWT", description="A Clerk session token."
                )
            }
        ),
        tags=[
            Tag("Organization", "The school itself and the signed-in person."),
            Tag("Catalogue", "Appointment types and locations."),
            Tag("People", "Members, instructors, qualifications and hours."),
            Tag("Family", "Children somebody answers for."),
            Tag("Bookings", "Free times and booked lessons."),
        ],
        # The docstrings of handlers are written for whoever calls them.
        use_handler_docstrings=True,
        openapi_router=_DocumentRouter("/api/v1", route_handlers=[], include_in_schema=False),
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
    )


class _DocumentRouter(Router):
    """Holds the OpenAPI document and nothing more.

    Litestar adds a catch-all beside it that answers every unknown address of
    the API with a page; here those are problem documents like all others.
    """

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        """Register a handler, unless it is the catch-all."""
        if "/{path:str}" in getattr(value, "paths", ()):
            return []
        return super().register(value)


def _litestar(handlers: list[Any], **options: Any) -> Litestar:
    return Litestar(
        route_handlers=handlers,
        exception_handlers={Exception: render_failure},
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        **options,
    )


class CourseCove:
    """The ASGI application, with its resources opened by the lifespan of the server.

    ``school`` and ``platform`` are the two route tables, for those who want to
    walk them (the route matrix of the tests does).
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        dependencies = {
            "session": Provide(provide_session),
            "organization": Provide(provide_organization, sync_to_thread=False),
        }
        self.school = _litestar(
            [Router(path="/api/v1", route_handlers=API_HANDLERS, request_class=ApiRequest), *SCHOOL_HANDLERS],
            dependencies=dependencies,
            openapi_config=_openapi(),
        )
        describe_refusals(self.school.openapi_schema)
        static = create_static_files_router(
            path="/static",
            directories=[project_data("static")],
            include_in_schema=False,
            # Addresses carry a fingerprint (?v=…), so a file may be kept for a year.
            cache_control=_static_cache(settings),
        )
        self.platform = _litestar(
            [*HEALTH_HANDLERS, clerk_webhook, static, *PLATFORM_HANDLERS], openapi_config=None
        )
        self._stack = AsyncExitStack()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        assert self._app is not None, "the server must run the lifespan first"
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Resources]:
        """Open the resources and serve for the length of the block."""
        async with AsyncExitStack() as stack:
            resources = await stack.enter_async_context(open_resources(self.settings))
            directory = Directory(resources.database)
            for app in (self.school, self.platform):
                app.state.resources = resources
                app.state.directory = directory
                await stack.enter_async_context(app.lifespan())
            self.platform.state.gauges = stored_gauges(resources.database)
            limits = RateLimits(self.settings, resources.redis)
            stack.push_async_callback(limits.aclose)
            gateway = Gateway(
                self.settings,
                school=self.school,
                platform=self.platform,
                directory=directory,
                authenticator=Authenticator(self.settings, resources.http),
                limits=limits,
                error_page=gateway_page,
            )
            self._app = observe(compress(gateway))
            yield resources

    async def _lifespan(self, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["type"] == "lifespan.startup"
        try:
            await self._stack.enter_async_context(self.running())
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        startup.finish()
        threading.Thread(target=_prepare, name="prepare", daemon=True).start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def _prepare() -> None:
    """Do beside the first requests what one of them would have to wait for."""
    signatures.prepare()
    pages.prepare()


def _static_cache(settings: Settings) -> CacheControlHeader:
    if settings.is_development:
        return CacheControlHeader(no_cache=True)
    return CacheControlHeader(public=True, max_age=31_536_000, immutable=True)


def create_app(settings: Settings | None = None) -> CourseCove:
    """Return the web application; settings come from the environment unless given."""
    settings = settings or load_settings()
    configure_logging(settings.log_format)
    return CourseCove(settings)
