"""The maildir: whole files only, once per delivery."""

import stat
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from monitor.core.deliveries import Result
from monitor.receivers.outbox import OutboxReceiver
from tests.receivers.letters import message

pytestmark = pytest.mark.anyio


async def test_a_delivery_is_one_complete_mail(tmp_path: Path):
    outcome = await OutboxReceiver(tmp_path / "outbox", "file").send(message())
    assert outcome.state is Result.DELIVERED
    (path,) = (tmp_path / "outbox" / "new").iterdir()
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert mail["Message-ID"] == "<dlv-0123456789abcdef0123@localhost>"
    assert mail["To"] == "file@localhost"
    assert "A crane fell" in mail.get_body(("plain",)).get_content()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list((tmp_path / "outbox" / "tmp").iterdir())


async def test_the_same_delivery_again_changes_nothing(tmp_path: Path):
    receiver = OutboxReceiver(tmp_path, "file")
    await receiver.send(message())
    (path,) = (tmp_path / "new").iterdir()
    before = path.stat().st_mtime_ns
    assert (await receiver.send(message())).state is Result.DELIVERED
    assert [path.stat().st_mtime_ns for path in (tmp_path / "new").iterdir()] == [before]


async def test_a_mail_that_was_read_is_not_delivered_anew(tmp_path: Path):
    receiver = OutboxReceiver(tmp_path, "file")
    await receiver.send(message())
    (path,) = (tmp_path / "new").iterdir()
    path.rename(tmp_path / "cur" / f"{path.name}:2,S")
    assert (await receiver.send(message())).state is Result.DELIVERED
    assert not list((tmp_path / "new").iterdir())


async def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path):
    (tmp_path / "outbox").write_text("a file is in the way")
    outcome = await OutboxReceiver(tmp_path / "outbox", "file").send(message())
    assert outcome.state is Result.FAILED
    assert not outcome.permanent
    assert "cannot be written" in outcome.detail
