"""Requests by the thousand, made from the API's own document, and what the answers must be.

Schemathesis makes the requests: half fit the document, half break it in one
place.  Left alone it would ask for ids that nobody has, so most ids are
replaced by those of things that exist (and a booking's time by one that is
free); then requests get past the first look-up.
"""

from __future__ import annotations

import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisDeprecationWarning, Unsatisfiable
from schemathesis import GenerationMode, Response
from schemathesis.checks import CheckFunction, load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from coursecove.problems import PROBLEM_JSON
from tests.fuzzing.known import AnyCase, Known
from tests.fuzzing.rough import ROUGH_BODIES

load_all_checks()

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
#: Requests made in one go from one operation, before the next has its turn.
CHUNK = 60
_NEVER = float("inf")

Operation: TypeAlias = APIOperation[Any, Any, Any, Any]


@dataclass
class Finding:
    """One way in which one operation answered what it must not, with the first request that showed it."""

    operation: str
    complaint: str
    reproduction: str
    times: int = 1


@dataclass
class Report:
    """What came of one role's requests."""

    role: str
    cases: int = 0
    breaking: int = 0
    rough: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    succeeded: set[str] = field(default_factory=set)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def classes(self) -> dict[str, int]:
        """Return how many answers were 2xx, 3xx, 4xx and 5xx."""
        found = dict.fromkeys(("2xx", "3xx", "4xx", "5xx"), 0)
        for status, times in self.statuses.items():
            found[f"{status // 100}xx"] += times
        return found

    def found(self, operation: str, complaint: str, reproduction: str) -> None:
        """Write a failure down, once per operation and complaint."""
        self._add(Finding(operation, complaint, reproduction))

    def add(self, other: Report) -> None:
        """Take another report of the same role in."""
        self.cases += other.cases
        self.breaking += other.breaking
        self.rough += other.rough
        self.seconds = max(self.seconds, other.seconds)
        self.statuses.update(other.statuses)
        self.succeeded |= other.succeeded
        for finding in other.findings.values():
            self._add(finding)

    def _add(self, finding: Finding) -> None:
        known = self.findings.setdefault((finding.operation, finding.complaint), finding)
        if known is not finding:
            known.times += finding.times


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asks: a role and the headers that say so."""

    role: str
    headers: dict[str, str]


class Fuzzer:
    """The same requests of several people to one served application.

    A request is made once and sent by everybody in turn, in an order that
    changes.  The same seed makes the same requests; ids that a database made
    up differ between databases.  ``only`` is a part of the operations' names
    ("POST /api/v1/locations") that are asked for.
    """

    def __init__(
        self,
        *,
        address: str,
        people: list[Person],
        document: dict[str, Any],
        known: Known,
        seed: int,
        only: str = "",
    ) -> None:
        self.reports = {person.role: Report(person.role) for person in people}
        self._address = address
        self._people = people
        self._known = known
        self._seed = seed
        self._http = requests.Session()
        self._http.trust_env = False
        schema = schemathesis.openapi.from_dict(document)
        # Who is asking is this fuzzer's business.
        schema.config.generation.update(with_security_parameters=False)
        self._operations: list[Operation] = []
        for found in schema.get_all_operations():
            if isinstance(found, Err):
                raise found.err()
            if only in found.ok().label:
                self._operations.append(found.ok())

    def run(
        self,
        cases: int,
        *,
        seconds: float = _NEVER,
        after_each: Callable[[dict[str, Report]], None] | None = None,
    ) -> dict[str, Report]:
        """Make at least ``cases`` requests per role, each operation in turn; fewer when ``seconds`` end."""
        began = time.monotonic()
        first = next(iter(self.reports.values()))

        def enough() -> bool:
            return first.cases >= cases or time.monotonic() - began >= seconds

        for operation in self._operations:
            self._rough(operation)
        turn = 0
        while not enough():
            size = min(CHUNK, (cases - first.cases) // (2 * len(self._operations)) + 1)
            for number, operation in enumerate(self._operations):
                for breaking in (False, True):
                    if enough():
                        break
                    self._chunk(operation, breaking, size, hash((self._seed, turn, number, breaking)))
                    if after_each:
                        after_each(self.reports)
            turn += 1
        for report in self.reports.values():
            report.seconds = time.monotonic() - began
        self._http.close()
        return self.reports

    def _chunk(self, operation: Operation, breaking: bool, size: int, seed: int) -> None:
        dice = random.Random(seed)
        mode = GenerationMode.NEGATIVE if breaking else GenerationMode.POSITIVE

        def ask(case: AnyCase) -> None:
            self._known.put_into(case, dice)
            for person in dice.sample(self._people, len(self._people)):
                self._ask(case, person, breaking)

        test: Callable[[], None] = given(operation.as_strategy(generation_mode=mode))(ask)
        test = settings(
            max_examples=size,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(seeded(seed)(test))
        with warnings.catch_warnings():
            # The application runs in a thread beside the requests' making, and draws random ids there.
            warnings.simplefilter("ignore", HypothesisDeprecationWarning)
            try:
                test()
            except Unsatisfiable:
                # An operation without parameters has nothing that could be broken.
                if not breaking:
                    raise

    def _ask(self, case: AnyCase, person: Person, breaking: bool) -> None:
        report, operation = self.reports[person.role], case.operation.label
        response = case.call(
            base_url=self._address, session=self._http, headers=person.headers, allow_redirects=False
        )
        report.cases += 1
        report.breaking += breaking
        report.statuses[response.status_code] += 1
        if response.status_code < 300:
            report.succeeded.add(operation)
        try:
            case.validate_response(response, checks=CHECKS, headers=person.headers)
        except FailureGroup as group:
            for failure in group.exceptions:
                first = str(failure).strip().splitlines() or [type(failure).__name__]
                complaint = f"{type(failure).__name__} {response.status_code}: {first[0]}"
                report.found(operation, complaint, _reproduction(case, response, failure))

    def _rough(self, operation: Operation) -> None:
        """Send bodies that no schema could make; each must be refused in a documented way."""
        if not operation.body:
            return
        path = self._known.address(operation.path)
        for person in self._people:
            for name, body in ROUGH_BODIES.items():
                headers = {**person.headers, "Content-Type": body.content_type}
                response = self._http.request(
                    operation.method.upper(),
                    self._address + path,
                    data=body.content,
                    headers=headers,
                    timeout=30,
                )
                self._judge(operation, self.reports[person.role], name, response)

    def _judge(self, operation: Operation, report: Report, name: str, response: requests.Response) -> None:
        report.rough += 1
        report.statuses[response.status_code] += 1
        kind = response.headers.get("content-type", "")
        documented = operation.responses.find_by_status_code(response.status_code) is not None
        if not 400 <= response.status_code < 500 or not documented or kind != PROBLEM_JSON:
            report.found(
                operation.label,
                f"rough body “{name}” answered {response.status_code} {kind}",
                f"{operation.label} with {name}: {response.text[:300]}",
            )


def _reproduction(case: AnyCase, response: Response, failure: Exception) -> str:
    command = case.as_curl_command(headers={"Authorization": "Bearer …"})
    body = response.content[:400].decode("utf-8", "replace")
    detail = "\n".join(str(failure).strip().splitlines()[:12])
    return f"{command}\n→ {response.status_code} {body}\n{detail}"


def lines_of(report: Report) -> Iterator[str]:
    """Yield a report as lines for a person."""
    rate = report.cases / report.seconds if report.seconds else 0.0
    classes = ", ".join(f"{name} {times:,}" for name, times in report.classes().items())
    statuses = ", ".join(f"{status} × {times:,}" for status, times in sorted(report.statuses.items()))
    yield (
        f"{report.role}: {report.cases:,} cases ({report.cases - report.breaking:,} that fit the document, "
        f"{report.breaking:,} that break it) and {report.rough:,} rough bodies "
        f"in {report.seconds:,.0f} s ({rate:,.0f}/s)"
    )
    yield f"  answers: {classes} ({statuses})"
    yield f"  operations that succeeded at least once: {len(report.succeeded)}"
    yield f"  failures: {sum(finding.times for finding in report.findings.values()):,}"
    for finding in report.findings.values():
        yield f"  ✗ {finding.operation}: {finding.complaint} ({finding.times} times)"
        yield from (f"      {line}" for line in finding.reproduction.splitlines())
