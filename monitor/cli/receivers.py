"""`receivers`: a marked test message to one of them; a new webhook secret."""

from __future__ import annotations

import os
from typing import Annotated

from cyclopts import App, Parameter

from monitor.cli import output
from monitor.cli.acts import hand_over

app = App(name="receivers", help="Send a marked test message; make a webhook secret.", help_format="plaintext")

SECRET_BYTES = 32


@app.command
def test(name: Annotated[str, Parameter(name="NAME")], /) -> int:
    """Send a marked test message to every address of a receiver. Exit 1 where one did not take it."""
    answer = hand_over("receivers test", {"receiver": name})
    for recipient, state, detail in answer["outcomes"]:
        print(output.clean(f"{recipient}: {state}: {detail}"))
    return 0 if all(state == "delivered" for _, state, _ in answer["outcomes"]) else 1


@app.command(name="new-secret")
def new_secret() -> None:
    """Print a fresh `whsec_` secret: put it into the environment here, and give it to the webhook's owner."""
    from monitor.receivers import webhook

    print(webhook.new_secret(os.urandom(SECRET_BYTES)))
