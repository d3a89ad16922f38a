"""The command line: one file per group of commands, imported only when its command is called."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cyclopts import App, CycloptsError

from monitor import __version__
from monitor.cli import context
from monitor.errors import ConfigurationError, MonitorError, UsageError

app = App(
    name="monitor",
    version=__version__,
    help="Watch sources, flag what matters by exact rules, send digests, and keep a log that can prove it.",
    help_epilogue="Every command takes --home DIR (else MONITOR_HOME, else the nearest folder with rules/ and seeds/).",
    help_format="plaintext",
)

_COMMANDS = (
    ("run", "run:run", "The daemon: ingest, match, alert, send; --once for one full cycle."),
    ("init", "admin:init", "Make a new working directory with a commented example of every file."),
    ("check", "rules:check", "Check settings, sources, rules and receivers; run the examples in the theme files."),
    ("ingest", "acts:ingest", "Read documents or feeds once; without arguments all sources, due or not."),
    ("rules", "revisions:app", "List revisions of the rules; put a file back as it was."),
    ("match", "rules:match", "Match documents from JSON Lines against the rules; stores nothing."),
    ("backtest", "backtest:backtest", "Rules over the stored entries; sends and stores nothing."),
    ("diff", "diff:diff", "What a change of rules would have gained and lost, per rule and term."),
    ("near-misses", "backtest:near_misses", "Stored entries that failed a rule by one clause only."),
    ("scorecard", "scorecard:scorecard", "What each rule and each of its terms has brought."),
    ("entries", "lists:entries", "List entries."),
    ("alerts", "lists:alerts", "List alerts."),
    ("stories", "lists:stories", "List stories."),
    ("story", "story:app", "Merge stories that are one; split one that is two."),
    ("sources", "sources:app", "List sources; `sources test URL` tells all about one before it is added."),
    ("show", "lists:show", "Show one entry, story, alert, digest or delivery, whole."),
    ("explain", "explain:explain", "Why an entry or alert matched or did not: every clause, with words and places."),
    ("ack", "acts:ack", "Acknowledge an alert."),
    ("verdict", "acts:verdict", "Give an analyst's word on an alert: relevant or noise."),
    ("silence", "silences:app", "Keep alerts from being sent for a time; end a silence; see what one would hide."),
    ("silences", "silences:silences", "List silences."),
    ("deliveries", "deliveries:app", "List deliveries; retry, release or discard what failed or is held."),
    ("receivers", "receivers:app", "Send a marked test message; make a webhook secret."),
    ("digest", "digests:app", "Preview, send or rebuild a digest."),
    ("log", "log:log", "The event log."),
    ("verify", "log:verify", "Check the hash chain, positions, versions, and that every view equals its fold."),
    ("rebuild", "acts:rebuild", "Views anew from the log."),
    ("export", "log:export", "The log out, as JSON Lines or CloudEvents."),
    ("import", "log:import_", "A log in, from JSON Lines."),
    ("backup", "log:backup", "A consistent copy of the database, while the daemon runs."),
    ("restore", "log:restore", "A backup back; nothing is sent until `deliveries release`."),
    ("status", "admin:status", "Whether the daemon runs, what waits to be sent, and what fails."),
    ("schema", "rules:schema", "JSON Schema of theme, sources or receivers files, for editors."),
)
for _name, _target, _help in _COMMANDS:
    app.command(f"monitor.cli.{_target}", name=_name, help=_help)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 fine, 1 findings, 2 usage, 69 unavailable, 75 try again, 78 configuration."""
    # Most of what a command makes stays until it ends: Python's own 700 has it look for garbage a tenth of the time.
    gc.set_threshold(50_000)
    _speak_utf8()
    sys.exit(dispatch(list(sys.argv[1:] if argv is None else argv)))


def dispatch(argv: list[str]) -> int:
    """As `main`, but returns the exit code."""
    try:
        words = _take_home(argv)
        result = app(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        _say(f"{error}; see `monitor {' '.join(error.command_chain or ())} --help`".replace("  ", " "))
        return 2
    except ConfigurationError as error:
        _say(str(error))
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return error.exit_code
    except MonitorError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`monitor log | head`): not an error; keep Python from a second complaint.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _speak_utf8() -> None:
    """Titles in any script go out, and JSON as it must be, where the locale or a pipe on Windows has other ideas."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _say(message: str) -> None:
    print(f"monitor: {message}", file=sys.stderr)


def _take_home(argv: list[str]) -> list[str]:
    """`--home DIR` may stand anywhere; the rest is the command."""
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        if word == "--":
            return [*words, word, *rest]
        if word == "--home":
            context.given_home = _folder(next(rest, ""))
        elif word.startswith("--home="):
            context.given_home = _folder(word.removeprefix("--home="))
        else:
            words.append(word)
    return words


def _folder(word: str) -> Path:
    if not word:
        raise UsageError("--home names no folder; write --home DIR")
    return Path(word)
