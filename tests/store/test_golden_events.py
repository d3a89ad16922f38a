"""Every event type has a golden file per schema version, and old logs stay readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from monitor.core import codec
from monitor.core.events import Event, NewEvent
from monitor.errors import UnknownEvent
from monitor.ports import Commit
from monitor.store.memory import MemoryStore
from tests.contracts.children import entropy
from tests.fakes import ManualClock
from tests.store.samples import FOLDER, golden, sample


@pytest.mark.parametrize("event", codec.EVENT_TYPES.values(), ids=lambda event: event.__name__)
def test_every_type_has_a_golden_file_of_its_version(event: type[Event]) -> None:
    assert golden(event).exists(), "a new type or version: run `python -m tests.store.samples` and commit the file"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_todays_decoder_reads_every_golden_file(path: Any) -> None:
    name, _, version = path.stem.partition(".v")
    lines = path.read_bytes().splitlines()
    assert len(lines) == 2
    for line in lines:
        event = codec.decode(name, int(version), line)
        assert type(event).__name__ == name
        if int(version) == event.schema:
            assert codec.encode(event) == line


@pytest.mark.parametrize("event", codec.EVENT_TYPES.values(), ids=lambda event: event.__name__)
def test_every_event_survives_encoding(event: type[Event]) -> None:
    for one in (sample(event), sample(event, sparse=True)):
        assert codec.decode(event.__name__, event.schema, codec.encode(one)) == one


class PortClosed(Event, frozen=True, kw_only=True):
    """As it was at first."""

    port: str


class PortClosedNow(Event, frozen=True, kw_only=True):
    """The same type two versions later."""

    schema: ClassVar[int] = 3
    ports: tuple[str, ...]
    because: str


def test_an_old_event_in_the_log_is_read_in_todays_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    def register(event: type[Event], upcasters: Mapping[tuple[str, int], codec.Upcaster]) -> None:
        monkeypatch.setitem(codec.EVENT_TYPES, "PortClosed", event)  # type: ignore[arg-type]
        monkeypatch.setitem(codec._decoders, "PortClosed", msgspec.json.Decoder(event))
        for place, upcaster in upcasters.items():
            monkeypatch.setitem(codec.UPCASTERS, place, upcaster)  # type: ignore[arg-type]

    register(PortClosed, {})
    store = MemoryStore(views=(), clock=ManualClock(), entropy=entropy())
    store.append(Commit(events=(NewEvent(stream="port/1", event=PortClosed(port="Odesa")),)))
    register(
        PortClosedNow,
        {
            ("PortClosed", 1): lambda old: {"ports": [old["port"]]},
            ("PortClosed", 2): lambda old: {**old, "because": "not said"},
        },
    )
    found = store.at(1)
    assert found.event == PortClosedNow(ports=("Odesa",), because="not said")
    assert found.schema == 1


def test_types_and_versions_of_a_newer_program_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownEvent, match="'PortOpened' is not known"):
        codec.decode("PortOpened", 1, b"{}")
    with pytest.raises(UnknownEvent, match="'OutboxReleased' has schema 9, this program knows 1"):
        codec.decode("OutboxReleased", 9, b"{}")
    monkeypatch.setitem(codec.EVENT_TYPES, "PortClosed", PortClosedNow)  # type: ignore[arg-type]
    monkeypatch.setitem(codec._decoders, "PortClosed", msgspec.json.Decoder(PortClosedNow))
    with pytest.raises(UnknownEvent, match="no upcaster from schema 1"):
        codec.decode("PortClosed", 1, b"{}")
