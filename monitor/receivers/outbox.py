"""The outbox: complete mails in a maildir, for a mail program or a person. Writing one twice changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from monitor.core.deliveries import Outcome, Result
from monitor.ports import Message
from monitor.receivers.render.mail import DEFAULT_SENDER, build_mail

FOLDERS = ("tmp", "new", "cur")


class OutboxReceiver:
    """A `ports.Receiver` that writes to `folder`; a name in `new/` is a whole file, on disk to stay."""

    def __init__(self, folder: Path, name: str, sender: str | None = None) -> None:
        self._folder = folder
        self._to = f"{name}@localhost"
        self._sender = sender or DEFAULT_SENDER

    async def send(self, message: Message) -> Outcome:
        """Write the mail; retried on a full or read-only disk."""
        try:
            path = await asyncio.to_thread(self._write, message)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            return Outcome(state=Result.FAILED, detail=f"'{self._folder}' cannot be written: {reason}")
        return Outcome(state=Result.DELIVERED, detail=f"written to {path.name}")

    def _write(self, message: Message) -> Path:
        for folder in FOLDERS:
            (self._folder / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        # The composing instant leads, so that a listing is in order; both parts stay the same over retries.
        name = f"{int(message.composed_at.timestamp())}.{message.delivery_id}.theme-monitor"
        target = self._folder / "new" / name
        if target.exists() or self._was_read(name):
            return target
        draft = self._folder / "tmp" / name
        try:
            _write_durably(draft, build_mail(message, sender=self._sender, to=[self._to]))
            draft.replace(target)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
        _sync_folder(target.parent)
        return target

    def _was_read(self, name: str) -> bool:
        """A mail program moves what it has seen to `cur/`, flags behind a colon (or `;`, or `!`)."""
        return any(path.name.startswith(name) for path in (self._folder / "cur").glob(f"{name}*"))


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # folders cannot be opened elsewhere
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
