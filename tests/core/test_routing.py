"""Who gets an alert."""

from datetime import timedelta

import pytest

from monitor.core.routing import (
    DEFAULT_RECEIVERS,
    Configuration,
    Email,
    Receiver,
    ReceiverBook,
    Route,
    Webhook,
)
from monitor.core.schedule import IMMEDIATE, Every
from monitor.matching.model import Severity


def receiver(name: str) -> Receiver:
    """Names say the schedule."""
    schedule = Every(timedelta(hours=1)) if name.startswith("hourly") else IMMEDIATE
    return Receiver(name=name, target=Email((f"{name}@example.org",)), schedule=schedule)


def book(*routes: Route, operator: tuple[str, ...] = ("boss",)) -> ReceiverBook:
    names = dict.fromkeys([name for route in routes for name in route.to] + list(operator))
    return ReceiverBook(operator=operator, receivers=tuple(map(receiver, names)), routes=routes)


def to(
    configured: ReceiverBook,
    theme: str = "trade",
    tags: tuple[str, ...] = ("controls",),
    severity: Severity = Severity.MEDIUM,
    **fields: bool,
) -> tuple[str, ...]:
    return configured.addressees(theme, tags, severity, **fields)


def test_every_route_that_fits_gets_it_once_in_order():
    configured = book(Route(to=("a", "b")), Route(to=("b", "c")))
    assert to(configured) == ("a", "b", "c")


def test_stop_ends_the_search():
    configured = book(Route(to=("a",), themes=("trade",), stop=True), Route(to=("b",)))
    assert to(configured) == ("a",)
    assert to(configured, theme="other") == ("b",)


def test_themes_tags_and_severity_must_all_fit():
    configured = book(Route(to=("a",), themes=("trade",), tags=("controls",), at_least=Severity.HIGH))
    assert to(configured, severity=Severity.CRITICAL) == ("a",)
    assert to(configured, severity=Severity.MEDIUM) == ("boss",)
    assert to(configured, tags=(), severity=Severity.HIGH) == ("boss",)
    assert to(configured, theme="x", severity=Severity.HIGH) == ("boss",)


def test_what_no_route_takes_goes_to_the_operator():
    configured = book(operator=("boss", "file"))
    assert configured.route("trade", (), Severity.CRITICAL) == ()
    assert to(configured) == ("boss", "file")


def test_what_a_changed_rule_found_goes_to_scheduled_receivers_if_there_are_any():
    assert to(book(Route(to=("now", "hourly"))), rule_changed=True) == ("hourly",)
    assert to(book(Route(to=("now",)), operator=("boss", "hourly")), rule_changed=True) == ("hourly",)
    assert to(book(Route(to=("now",))), rule_changed=True) == ("now",)


def test_where_nothing_is_configured_all_goes_to_the_outbox():
    configuration = Configuration()
    assert configuration.addressees("any", Severity.INFO) == ("file",)
    assert DEFAULT_RECEIVERS.receivers[0].target.recipients == ("state/outbox",)


def test_tags_are_those_of_the_theme_in_the_rule_book():
    configuration = Configuration(book=book(Route(to=("a",), tags=("controls",))), themes={"trade": ("controls",)})
    assert configuration.addressees("trade", Severity.INFO) == ("a",)
    assert configuration.addressees("other", Severity.INFO) == ("boss",)


@pytest.mark.parametrize("url", ["https://u:hunter2@hooks.example.org/x?token=hunter2", "${URL}"])
def test_a_webhooks_address_is_shown_without_secrets(url: str):
    (shown,) = Webhook(url).recipients
    assert "hunter2" not in shown
    assert shown.startswith(("https://hooks.example.org/x", "${URL}"))
