"""A configured receiver to the adapter that sends for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.core import routing
from monitor.ports import Clock, Poster, Receiver

if TYPE_CHECKING:
    from monitor.receivers.email import SmtpServer


@dataclass(frozen=True, slots=True)
class Connections:
    """What adapters need of the world. `home` is the working directory, `sender` is `mail_from`."""

    home: Path
    smtp: SmtpServer | None
    sender: str | None
    secrets: Mapping[str, str]
    poster: Poster
    clock: Clock

    def connect(self, receiver: routing.Receiver) -> Receiver:
        """The adapter for one receiver; makes no connection yet."""
        # An adapter and its libraries are imported when there is something to send by it: starting need not wait.
        match receiver.target:
            case routing.Outbox(path):
                from monitor.receivers.outbox import OutboxReceiver

                return OutboxReceiver(self.home / path, receiver.name, self.sender)
            case routing.Email():
                from monitor.receivers.email import EmailReceiver

                return EmailReceiver(self.smtp, self.sender)
            case routing.Webhook() as hook:
                from monitor.receivers.webhook import WebhookReceiver

                return WebhookReceiver(hook, self.secrets, self.poster, self.clock)
