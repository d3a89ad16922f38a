"""`digest`: see what would go out, send it now, rebuild an old one byte for byte from the log."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from monitor.cli import context
from monitor.cli.acts import hand_over
from monitor.cli.reading import Reading
from monitor.core.digests import Digest
from monitor.ports import Message

app = App(name="digest", help="Preview, send or rebuild a digest.", help_format="plaintext")

Form = Annotated[Literal["text", "html", "mail", "json"], Parameter(name="--format", help="How it is printed.")]
ReceiverName = Annotated[str, Parameter(name="RECEIVER")]


@app.command
def preview(receiver: ReceiverName, /, *, form: Form = "text") -> None:
    """Print what this receiver would get if its window closed now; nothing is stored or sent."""
    from monitor.books import configure
    from monitor.core import digests
    from monitor.pipeline.compose import Composer

    with Reading(context.settings()) as reading:
        now = reading.now()
        digest = Composer(reading.store, configure).preview(receiver, now)
    if digest.empty:
        print("monitor: there is nothing to say; without `always: true` nothing would be sent", file=sys.stderr)
    content, _ = digests.encode(digest)
    message = Message(
        delivery_id="dlv-preview", digest_id=digest.digest_id, recipient=receiver, composed_at=now, content=content
    )
    _print(message, digest, form)


@app.command
def send(receiver: ReceiverName, /) -> None:
    """Close this receiver's window now and send its digest; the one due by its schedule holds what comes after."""
    answer = hand_over("digest send", {"receiver": receiver})
    if answer["digest_id"] is None:
        print(f"nothing to say to '{receiver}', nothing sent")
    else:
        print(f"composed {answer['digest_id']} for '{receiver}', position {answer['position']}")


@app.command
def rebuild(
    digest: Annotated[str, Parameter(name="ID", help="A digest: dig-…")],
    /,
    *,
    form: Annotated[
        Literal["text", "html", "mail", "json"] | None, Parameter(name="--format", help="Print it, too.")
    ] = None,
) -> int:
    """Compose a digest anew from the log and compare. Exit 0: the same bytes. Exit 1: what differs is named."""
    from monitor.books import configure, load_book
    from monitor.core import digests
    from monitor.core.compare import differences
    from monitor.pipeline.compose import Composer
    from monitor.pipeline.rule_changes import recompose

    with Reading(context.settings()) as reading:
        composer = Composer(reading.store, configure)
        composed = composer.stored(digest)
        if digests.decode(composed.content).receipt:
            again = recompose(reading.store, configure, load_book, composed)
        else:
            again = composer.rebuild(digest)[1]
    content, content_hash = digests.encode(again)
    if form is not None:
        recipient = composed.deliveries[0].recipient if composed.deliveries else composed.receiver
        delivery_id = composed.deliveries[0].delivery_id if composed.deliveries else "dlv-none"
        message = Message(
            delivery_id=delivery_id, digest_id=digest, recipient=recipient, composed_at=composed.composed_at,
            content=content,
        )  # fmt: skip
        _print(message, again, form)
    where = sys.stderr if form is not None else sys.stdout
    if content == composed.content:
        print(f"{digest}: the same {len(content.encode())} bytes, sha256 {content_hash}", file=where)
        return 0
    print(f"{digest}: differs in {', '.join(differences(composed.content, content))}", file=where)
    return 1


def _print(message: Message, digest: Digest, form: str) -> None:
    """The message as a reader gets it. Rendered texts hold nothing that could drive a terminal."""
    match form:
        case "html":
            from monitor.receivers.render.html import render_html

            sys.stdout.write(render_html(digest, message.composed_at))
        case "mail":
            from monitor.receivers.render.mail import DEFAULT_SENDER, build_mail

            sender = context.settings().mail_from or DEFAULT_SENDER
            to = message.recipient if "@" in message.recipient else f"{digest.receiver}@localhost"
            sys.stdout.write(build_mail(message, sender=sender, to=[to]).decode("ascii").replace("\r\n", "\n"))
        case "json":
            from monitor.receivers.render.payload import render_payload

            sys.stdout.write(render_payload(message).decode() + "\n")
        case _:
            from monitor.receivers.render.text import render_text

            sys.stdout.write(render_text(digest, message.composed_at))
