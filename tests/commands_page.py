"""Makes docs/commands.md from the command line's own help: `python -m tests.commands_page`."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.cli import app

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"

HEAD = """\
# Commands

Every command takes `--home DIR`; else `MONITOR_HOME` counts, else the nearest folder above with `rules/` and `seeds/`.
Data goes to stdout, messages to stderr. `--json` prints one JSON object a line; readers must ignore keys that they do
not know.
There is no colour and no progress bar where the stream is not a terminal, or under `NO_COLOR`.

| exit | means |
|---|---|
| 0 | fine |
| 1 | findings: faults found, nothing of that name, chain broken |
| 2 | the command was not understood |
| 69 | the database or another service cannot be reached |
| 75 | another process holds what is needed; nothing was done, try again |
| 78 | settings or files are at fault |

An instant is `2026-11-24`, `2026-11-24T07:00Z`, or so long ago: `7d`, `12h`. `--as-of` takes one, or a log position.

"""

FOOT = "\n*This page is made from the program's own help: `python -m tests.commands_page`.*\n"


def render() -> str:
    """The whole page, in the order of the program's own list."""
    text = app.generate_docs(flatten_commands=True, heading_level=2, usage_name="monitor")
    commands = text[text.index("## monitor run") :].replace(" -m tests.commands_page", "")  # how it names itself
    commands = commands.replace(" *[default: False]*", "").replace("```console", "```")
    commands = re.sub(r"`([A-Z][\w.|-]*), --\1`", r"`\1`", commands)  # an argument by its place
    return HEAD + commands.strip() + "\n" + FOOT


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
