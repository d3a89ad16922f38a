"""`story`: merge stories that are one, split one that is two."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from monitor.cli.acts import hand_over

app = App(name="story", help="Merge stories that are one; split one that is two.", help_format="plaintext")


@app.command
def merge(
    story: Annotated[str, Parameter(name="STORY", help="The story that stays.")],
    other: Annotated[str, Parameter(name="OTHER", help="The story that goes up in it.")],
    /,
) -> None:
    """Make two stories one; what is like either joins it from now on."""
    answer = hand_over("story merge", {"story": story, "other": other})
    print(f"{other} is {story} now, position {answer['position']}")


@app.command
def split(
    story: Annotated[str, Parameter(name="STORY")],
    /,
    *entries: Annotated[str, Parameter(name="ENTRY", help="Entries that leave it for a story of their own.")],
) -> None:
    """Take entries out of a story; what is like them joins theirs from now on."""
    answer = hand_over("story split", {"story": story, "entries": list(entries)})
    print(f"{answer['story_id']} has them now, position {answer['position']}")
