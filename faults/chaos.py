"""``make chaos``: the webhook inbox under faults, and the oracle's verdict.

Starts the product on loopback in a temporary home, has thousands of signed
events delivered in disorder and twice, kills workers, restarts Valkey and
Postgres all the while, and compares what is left with what should be.  Exits
with 1 when anything was lost, applied twice, different or late.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from coursecove.dev.daemons import DaemonError, die_with_parent
from coursecove.dev.processes import NotReady, wait_for
from faults import audit
from faults.house import CHECKOUT_PATH, House, Servers, running_servers
from faults.sabotage import GUARDS, SQUEEZES
from faults.story import tell_story
from faults.verdict import Verdict, Window, judge_answers, judge_events, judge_recovery, read_report

DRAIN_SECONDS = 120
# A worker's lease runs for 20 seconds: taken up again within a minute after the claim.
TAKEOVER_SECONDS = 40
# Before the first fault, so that there is something to compare with.
CALM_SHARE = 0.05
# How long a kill waits for a worker to have something in hand.
CATCH_SECONDS = 1.5


class OutOfTime(Exception):
    """The run took longer than it may."""


@dataclass(frozen=True, slots=True)
class Options:
    """The size of a run."""

    events: int = 10_000
    duplicates: float = 0.2
    kills: int = 50
    valkey_restarts: int = 10
    flushes: int = 3
    postgres_restarts: int = 6
    per_second: float = 60.0
    seed: int = 1
    judge_latency: bool = True
    sabotage: str | None = None


@dataclass(slots=True)
class Tally:
    """What was done to the house, and when it was not whole."""

    kills: int = 0
    caught: int = 0
    valkey_restarts: int = 0
    flushes: int = 0
    postgres_restarts: int = 0
    degraded: list[Window] = field(default_factory=list)
    postgres_back: list[float] = field(default_factory=list)

    @contextmanager
    def disturbing(self) -> Iterator[None]:
        """Note the time inside as degraded."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.degraded.append((started, time.monotonic()))


class SenderProcess:
    """The sender, held back or let go from here."""

    def __init__(self, house: House, options: Options) -> None:
        self.report = house.home / "deliveries.jsonl"
        self.total = options.events + round(options.events * options.duplicates)
        self.begun = 0
        self._errors = house.home / "sender.log"
        self._text = b""
        plan = house.home / "plan.json"
        plan.write_text(
            json.dumps({
                "events": options.events,
                "duplicates": options.duplicates,
                "seed": options.seed,
                "per_second": options.per_second,
                "url": f"{house.address}/api/webhooks/clerk",
                "secret": house.settings.clerk_webhook_secrets[0],
                "report": str(self.report),
            })
        )  # fmt: skip
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.sender", str(plan)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={"PATH": os.defpath, "PYTHONPATH": CHECKOUT_PATH},
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def allow(self, deliveries: int) -> None:
        """Let it begin this many deliveries, counted from the start."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"send {min(deliveries, self.total)}\n".encode())
        self._process.stdin.flush()

    def has_begun(self, deliveries: int) -> bool:
        """Say whether it has begun (nearly) this many; raises NotReady when it ended too early."""
        assert self._process.stdout is not None
        self._text += self._process.stdout.read() or b""
        *lines, self._text = self._text.split(b"\n")
        if lines:
            self.begun = int(lines[-1].split()[1])
        if self._process.poll() not in (None, 0):
            raise NotReady(f"the sender ended:\n{self._errors.read_text()[-2000:]}")
        # It tells every tenth.
        return self.begun > min(deliveries, self.total) - 10

    def has_ended(self) -> bool:
        """Say whether every delivery has ended, one way or the other."""
        return self.has_begun(self.total) and self._process.poll() is not None


class Chaos:
    """One run against one house."""

    def __init__(self, servers: Servers, house: House, options: Options) -> None:
        self._servers = servers
        self._house = house
        self._options = options
        self._dice = random.Random(options.seed)
        self.tally = Tally()

    def run(self) -> Verdict:
        """Deliver, disturb, drain and judge."""
        options, started = self._options, time.monotonic()
        faults = self._faults()
        with SenderProcess(self._house, options) as sender:
            sent = sender.total if not faults else round(sender.total * CALM_SHARE)
            sender.allow(sent)
            self._wait(lambda: sender.has_begun(sent), 120)
            for number, fault in enumerate(faults):
                if number % 10 == 0:
                    print(f"{sender.begun:,} deliveries, {number} faults …", file=sys.stderr, flush=True)
                share = CALM_SHARE + (1 - CALM_SHARE) * (number + 1) / len(faults)
                before, sent = sent, round(sender.total * share)
                # Half of what comes until the next fault comes during this one, half when all is well again.
                sender.allow((before + sent) // 2)
                fault()
                sender.allow(sent)
                self._wait(lambda allowed=sent: sender.has_begun(allowed), 120)  # type: ignore[misc]
            self._wait(sender.has_ended, 90)
            report = sender.report
        sent_at = time.monotonic()
        left = self._drain()
        drained = time.monotonic() - sent_at
        verdict = Verdict()
        seen = read_report(report)
        tally = self.tally
        verdict.say(
            "events", f"{options.events:,}, and {seen.count - options.events:,} of them twice, shuffled"
        )
        restarts = f"{tally.valkey_restarts} of Valkey ({tally.flushes} with FLUSHALL)"
        verdict.say("restarts", f"{restarts}, {tally.postgres_restarts} of Postgres")
        with self._house.connect() as connection:
            taken, late = audit.takeovers(connection)
            verdict.say("worker kills", f"{tally.kills} with SIGKILL, {tally.caught} of them with work in hand")
            too_late = [f"it may take {TAKEOVER_SECONDS} s"] if late > TAKEOVER_SECONDS else []
            verdict.judge(
                "taken up again",
                f"{taken} leases of the dead, at the latest {late:.0f} s after they ran out",
                too_late,
            )
            judge_events(verdict, tell_story(options.events, seed=options.seed), seen, connection)
        late_ones = [f"{left} unfinished after {DRAIN_SECONDS} s"] if left else []
        verdict.judge("drained", f"{drained:.0f} s after the last answer, {left} unfinished", late_ones)
        judge_recovery(verdict, seen, tally.postgres_back)
        judge_answers(verdict, seen, tally.degraded, limits=options.judge_latency)
        verdict.say("duration", f"{time.monotonic() - started:.0f} s")
        return verdict

    def _faults(self) -> list[Callable[[], None]]:
        """Return the faults of this run, in a random order."""
        options = self._options
        flushes = [number < options.flushes for number in range(options.valkey_restarts)]
        hows = [(signal.SIGINT, signal.SIGQUIT)[number % 2] for number in range(options.postgres_restarts)]
        faults: list[Callable[[], None]] = [self._kill_worker] * options.kills
        faults += [lambda flush=flush: self._restart_valkey(flush=flush) for flush in flushes]  # type: ignore[misc]
        faults += [lambda how=how: self._restart_postgres(how) for how in hows]  # type: ignore[misc]
        self._dice.shuffle(faults)
        return faults

    def _kill_worker(self) -> None:
        """Kill a worker while something keeps the database from answering, so that it has work in hand."""
        workers = self._house.workers
        table = self._dice.choice(("users", "members"))
        with self.tally.disturbing(), self._house.connect() as connection:
            with self._house.stalled(table):
                with contextlib.suppress(NotReady):
                    wait_for(lambda: self._busiest(connection) is not None, timeout_seconds=CATCH_SECONDS)
                victim = self._busiest(connection)
                self.tally.caught += victim is not None
                number = self.tally.kills % len(workers) if victim is None else victim
                self._house.kill_worker(number)
            self.tally.kills += 1
            # A worker that has not begun to work could lose nothing when it is the next.
            self._wait(workers[number].says("worker_started"), 60)

    def _busiest(self, connection: psycopg.Connection) -> int | None:
        """Return which worker has most in hand; None when none has anything."""
        held = audit.in_hand(connection)
        counts = [held[worker.name] for worker in self._house.workers]
        return counts.index(max(counts)) if max(counts) else None

    def _restart_valkey(self, *, flush: bool) -> None:
        with self.tally.disturbing():
            self._servers.restart_valkey(away_seconds=self._dice.uniform(0.2, 2.5), flush=flush)
        self.tally.valkey_restarts += 1
        self.tally.flushes += flush

    def _restart_postgres(self, how: signal.Signals) -> None:
        with self.tally.disturbing():
            self._servers.restart_postgres(how=how, away_seconds=self._dice.uniform(0.2, 1.5))
        self.tally.postgres_back.append(time.monotonic())
        self.tally.postgres_restarts += 1

    def _drain(self) -> int:
        """Wait until nothing is open any more; return how much still is after the time for it."""
        with self._house.connect() as connection, contextlib.suppress(NotReady):
            self._wait(lambda: audit.unfinished(connection) == 0, DRAIN_SECONDS)
        with self._house.connect() as connection:
            return audit.unfinished(connection)

    def _wait(self, until: Callable[[], bool], seconds: float) -> None:
        wait_for(until, timeout_seconds=seconds, watch=self._house.watch)


def run_once(servers: Servers, home: Path, options: Options) -> Verdict:
    """Run against a fresh database and fresh processes."""
    with House(servers, home, sabotage=options.sabotage) as house:
        return Chaos(servers, house, options).run()


def run_control(servers: Servers, home: Path, guard: str, *, seed: int) -> Verdict:
    """Run a short story without faults against a product with one guard gone (or squeezed)."""
    short = Options(
        events=200, duplicates=0.5, kills=0, valkey_restarts=0, flushes=0, postgres_restarts=0,
        per_second=150, seed=seed, judge_latency=False, sabotage=guard,
    )  # fmt: skip
    return run_once(servers, home, short)


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m faults.chaos", description=__doc__.partition("\n")[0])
    size = Options()
    parser.add_argument("--events", type=int, default=size.events)
    parser.add_argument("--duplicates", type=float, default=size.duplicates, help="share of the events, 0 to 1")
    parser.add_argument("--kills", type=int, default=size.kills, help="of workers, with SIGKILL")
    parser.add_argument("--valkey-restarts", type=int, default=size.valkey_restarts)
    parser.add_argument("--flushes", type=int, default=size.flushes, help="so many of them with FLUSHALL")
    parser.add_argument("--postgres-restarts", type=int, default=size.postgres_restarts)
    parser.add_argument("--per-second", type=float, default=size.per_second, help="deliveries begun per second")
    parser.add_argument("--seed", type=int, default=size.seed, help="another seed, another story")
    parser.add_argument("--minutes", type=float, default=8.0, help="give up after this")
    parser.add_argument(
        "--no-latency", action="store_true", help="report the acknowledgement without judging it"
    )
    parser.add_argument(
        "--break", dest="guards", action="append", default=[], choices=[*GUARDS, *SQUEEZES, "all"],
        help="run a short story against a product without this guard instead; has to exit with 1",
    )  # fmt: skip
    parser.add_argument(
        "--controls", action="store_true", help="afterwards break every guard in turn; each must be caught"
    )
    asked = parser.parse_args(arguments)
    options = Options(
        events=asked.events, duplicates=asked.duplicates, kills=asked.kills,
        valkey_restarts=asked.valkey_restarts, flushes=asked.flushes, postgres_restarts=asked.postgres_restarts,
        per_second=asked.per_second, seed=asked.seed, judge_latency=not asked.no_latency,
    )  # fmt: skip
    _end_in_time(asked.minutes)
    try:
        with running_servers() as (servers, home):
            if asked.guards:
                guards = [*GUARDS] if "all" in asked.guards else asked.guards
                passed = [
                    _show(f"without {guard}", run_control(servers, home, guard, seed=asked.seed))
                    for guard in guards
                ]
                return 0 if all(passed) else 1
            passed_all = _show("chaos", run_once(servers, home, options))
            if asked.controls:
                passed_all = _controls(servers, home, seed=asked.seed) and passed_all
            return 0 if passed_all else 1
    except (NotReady, DaemonError, psycopg.Error, OutOfTime) as error:
        print(f"The run could not be finished: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _controls(servers: Servers, home: Path, *, seed: int) -> bool:
    """Break every guard in turn; say whether each was noticed, and the squeeze alone was not."""
    good = True
    print("\nControls: the same product with something taken out of it", flush=True)
    for name in [*GUARDS, *SQUEEZES]:
        verdict = run_control(servers, home, name, seed=seed)
        as_it_should = bool(verdict.violations) == (name in GUARDS)
        seen = ", ".join(verdict.violations) or "no violation"
        print(f"  {name:<16} {seen}{'' if as_it_should else '  VIOLATION'}", flush=True)
        good = good and as_it_should
    return good


def _show(title: str, verdict: Verdict) -> bool:
    print(f"\n{title}", *(f"  {line}" for line in verdict.lines), sep="\n")
    broken = ", ".join(verdict.violations)
    print(f"  {'verdict':<18} {f'VIOLATED: {broken}' if broken else 'passed'}", flush=True)
    return not verdict.violations


def _end_in_time(minutes: float) -> None:
    """Turn the end of the time, and a request to end, into an exception: what was started is then ended."""

    def over(number: int, _frame: object) -> None:
        # Once is enough; the way out takes its time.
        signal.alarm(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise OutOfTime(f"{minutes:g} minutes are over" if number == signal.SIGALRM else "it was asked to end")

    signal.signal(signal.SIGALRM, over)
    signal.signal(signal.SIGTERM, over)
    signal.alarm(max(1, round(minutes * 60)))


if __name__ == "__main__":
    sys.exit(main())
