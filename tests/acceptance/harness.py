"""Runs the real `monitor` command in a working directory of its own, alive, killed, or under another clock."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from monitor import cli
from tests.conftest import absent

ROOT = Path(__file__).parents[2]
FAKETIME = next(
    (str(path) for folder in ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib") if Path(folder).is_dir()
     for path in Path(folder).glob("**/faketime/libfaketimeMT.so.1")),
    None,
)  # fmt: skip

T = TypeVar("T")


def await_that(condition: Callable[[], T], *, within: float, what: str) -> T:
    """The first true value of `condition`; fails the test where there is none `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what} (last seen: {value!r})", pytrace=False)
        time.sleep(0.05)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class WallClock:
    """A clock that a running command sees instead of the machine's, and that a test can move meanwhile.

    Only the wall clock moves, as where somebody sets it; the monotonic one goes on as it should. With `passing` both
    move, as where time passes. Needs libfaketime, which is loaded into the command's process.
    """

    def __init__(self, folder: Path, *, passing: bool = False) -> None:
        if FAKETIME is None:
            absent("libfaketime is not installed")
        self._file = folder / "clock"
        self._passing = passing
        self.shift(0)

    def shift(self, seconds: float) -> None:
        """From now on the clock is `seconds` ahead of the machine's (negative: behind)."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+.3f}\n")
        fresh.replace(self._file)

    @property
    def env(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "0" if self._passing else "1",
            "NO_FAKE_STAT": "1",
        }


TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
"""What no command prints, whatever happens to it: an error is one line."""


class Daemon:
    """A `monitor run` in the background; what it says goes to a file that `said` reads.

    At its end it must have said no traceback.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as stderr:
            # a session of its own, so that no worker of a killed one outlives the test
            self.process = subprocess.Popen(
                command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                start_new_session=True,
            )  # fmt: skip

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.kill()
        if kind is not None:
            print(f"what the daemon said:\n{self.said}")  # pytest shows it with the failure
        else:
            assert not TRACEBACK.search(self.said), f"a traceback:\n{self.said}"

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def ready(self, within: float = 20) -> Daemon:
        """Wait for its `ready position=N`."""
        await_that(
            lambda: re.search(r"^ready position=\d+$", self.said, re.MULTILINE) or not self.alive,
            within=within, what="the daemon is ready",
        )  # fmt: skip
        assert self.alive, f"the daemon ended with {self.process.returncode}:\n{self.said}"
        return self

    def await_said(self, pattern: str, within: float = 15) -> str:
        """The first line it said that holds the pattern."""
        expression = re.compile(f"^.*(?:{pattern}).*$", re.MULTILINE)
        found = await_that(lambda: expression.search(self.said), within=within, what=f"the daemon says {pattern!r}")
        return found[0]

    def processor_seconds(self, within: float) -> float:
        """CPU seconds that it uses in the next `within` seconds. Needs /proc."""
        before = self._processor_seconds()
        time.sleep(within)
        return self._processor_seconds() - before

    def _processor_seconds(self) -> float:
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, within: float = 10) -> float:
        """SIGTERM; the seconds it took to end. Fails where it takes longer or does not end well."""
        start = time.monotonic()
        self.process.terminate()
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running {within:g} s after SIGTERM:\n{self.said}", pytrace=False)
        assert code == 0, f"ended with {code}:\n{self.said}"
        return time.monotonic() - start

    def kill(self) -> None:
        """SIGKILL to the daemon and to whatever it had started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


class Workspace:
    """A working directory for the command."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.env: dict[str, str] = {"MONITOR_ALLOW_NETWORKS": "127.0.0.0/8", **env}
        self._daemons = 0
        for name in ("rules/themes", "rules/concepts", "rules/watchlists", "seeds/documents", "state"):
            (home / name).mkdir(parents=True)
        self.sources()

    # --- files

    def write(self, path: str, content: str | bytes) -> Path:
        """Put a file in place at once, as a careful editor does; `path` is relative to the home."""
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_bytes(content.encode() if isinstance(content, str) else content)
        fresh.replace(target)
        return target

    def shipped_rules(self) -> None:
        """The rules that come with the program, without its receivers."""
        shutil.copytree(ROOT / "rules", self.home / "rules", dirs_exist_ok=True)
        (self.home / "rules" / "receivers.yaml").unlink(missing_ok=True)

    def shipped_seed(self) -> None:
        shutil.copytree(ROOT / "seeds" / "documents", self.home / "seeds" / "documents", dirs_exist_ok=True)

    def theme(self, name: str = "machines", when: str = '"machine tools" and "Russia"') -> None:
        """A theme of one rule, which the given expression is. (JSON is YAML too.)"""
        theme = {"theme": name, "title": f"Theme {name}", "severity": "high", "rules": [{"id": "only", "when": when}]}
        self.write(f"rules/themes/{name}.yaml", json.dumps(theme, indent=1))

    def sources(self, *feeds: tuple[str, str], folder: bool = False) -> None:
        """`seeds/sources.yaml` with these feeds as (id, url), and the seed folder if wanted."""
        lines = [f"  - {{id: {id}, url: '{url}', every: 5m}}" for id, url in feeds]
        if folder:
            lines.append("  - {id: documents, path: documents/, kind: folder}")
        self.write("seeds/sources.yaml", "sources:\n" + "\n".join(lines) + "\n" if lines else "sources: []\n")

    def receivers(self, receivers: dict[str, Any], routes: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """`rules/receivers.yaml`; without routes every receiver gets everything. (JSON is YAML too.)"""
        routes = routes or [{"to": [name]} for name in receivers]
        self.write("rules/receivers.yaml", json.dumps({**more, "receivers": receivers, "routes": routes}, indent=1))

    # --- commands

    def command(self, *args: str) -> list[str]:
        return [sys.executable, "-m", "monitor", "--home", str(self.home), *args]

    def environ(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MONITOR_", "PYTEST_"))}
        return {**kept, "NO_COLOR": "1", **self.env, **(extra or {})}

    def run(
        self,
        *args: str,
        stdin: str | None = None,
        within: float = 90,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        command: Sequence[str] | None = None,
    ) -> Finished:
        """Run a command to its end, whatever that is."""
        start = time.monotonic()
        done = subprocess.run(
            [*prefix, *(command or self.command(*args))], env=self.environ(env), cwd=ROOT, timeout=within, check=False,
            input=stdin.encode() if stdin is not None else None, capture_output=True,
            stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip
        out, err = done.stdout.decode(), done.stderr.decode()
        assert not TRACEBACK.search(err), f"{' '.join(args)} ended with {done.returncode} and a traceback:\n{err}"
        return Finished(done.returncode, out, err, time.monotonic() - start)

    def ok(self, *args: str, **options: Any) -> Finished:
        """Run a command that must end with 0."""
        done = self.run(*args, **options)
        assert done.code == 0, f"{' '.join(args)} ended with {done.code}:\n{done.err}{done.out}"
        return done

    def once(self, **options: Any) -> Finished:
        return self.ok("run", "--once", **options)

    def look(self, *args: str) -> Finished:
        """Run a command that only looks, in this very process: the same code without a second of Python's start."""
        out, err, start = io.StringIO(), io.StringIO(), time.monotonic()
        kept = dict(os.environ)
        os.environ.update(self.env)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = cli.dispatch(["--home", str(self.home), *args])
        finally:
            os.environ.clear()
            os.environ.update(kept)
        assert not TRACEBACK.search(err.getvalue()), err.getvalue()
        return Finished(code, out.getvalue(), err.getvalue(), time.monotonic() - start)

    def list(self, *args: str) -> list[dict[str, Any]]:
        """The rows of a list command; none where nothing was stored yet."""
        done = self.look(*args, "--json")
        assert done.code == 0 or "not there yet" in done.err, f"{' '.join(args)} ended with {done.code}:\n{done.err}"
        return done.rows

    def entries(self, source: str | None = None) -> list[dict[str, Any]]:
        """All entries, or one source's."""
        return [row for row in self.list("entries") if source in (None, row["source"])]

    def log(self, *types: str) -> list[dict[str, Any]]:
        """The events of the log, or those of these types."""
        events = self.list("log")
        return [event for event in events if event["type"] in types] if types else events

    def status(self) -> dict[str, Any]:
        [row] = self.list("status")
        return row

    def daemon(self, *, env: Mapping[str, str] | None = None, prefix: Sequence[str] = ()) -> Daemon:
        """A running daemon; use as a context manager, and `ready()` before anything is asked of it."""
        self._daemons += 1
        log = self.home.parent / f"{self.home.name}-daemon-{self._daemons}.log"
        return Daemon([*prefix, *self.command("run")], self.environ(env), log)

    def verify(self) -> None:
        """Fails where the chain, the positions or a view is wrong."""
        done = self.look("verify")
        assert done.code == 0, done.err

    @property
    def outbox(self) -> list[bytes]:
        """The messages in the default receiver's maildir."""
        return [path.read_bytes() for path in sorted((self.home / "state" / "outbox" / "new").glob("*"))]


NOW = {"schedule": "immediate", "group_wait": "0s"}
"""A receiver that gets every alert at once."""
