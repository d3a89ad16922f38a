"""`receivers.yaml`: what it may say, and every fault at its line and column with the cure."""

from datetime import time, timedelta
from textwrap import dedent

import pytest

from monitor.core.routing import (
    DEFAULT_RECEIVERS,
    CatchUp,
    Email,
    OnUnknown,
    Outbox,
    QuietHours,
    Receiver,
    ReceiverBook,
    Route,
    Webhook,
)
from monitor.core.schedule import At, Daily, Every, Immediate
from monitor.errors import Fault
from monitor.matching.book import Theme
from monitor.matching.model import Mode, Severity
from monitor.rulebook.receivers import lint_receivers, load_receivers
from monitor.rulebook.written import ANYWHERE, Surroundings

THEMES = {"china-russia-dual-use", "harbour-watch"}
TAGS = {"export-controls", "ports"}
PATH = "rules/receivers.yaml"


def load(text: str) -> tuple[ReceiverBook | None, list[Fault]]:
    return load_receivers(PATH, dedent(text), themes=THEMES, tags=TAGS, time_zone="Europe/Vienna")


def book(text: str) -> ReceiverBook:
    loaded, faults = load(text)
    assert [str(fault) for fault in faults] == []
    assert loaded is not None
    return loaded


def faults(text: str) -> list[str]:
    loaded, found = load(text)
    assert loaded is None
    return [str(fault).removeprefix(f"{PATH}:") for fault in found]


WHOLE = """\
    operator: [desk]
    receivers:
      desk:
        email: {to: [desk@example.org, room12@example.org]}
        schedule: {at: ["07:00", "19:30"], days: mon-fri, time_zone: Asia/Kathmandu}
        catch_up: one
        always: true
      duty:
        webhook: {url: "https://hooks.example.org/x?k=${KEY}", secret: "${DUTY_SECRET}", headers: {X-Team: night}}
        schedule: immediate
        group_wait: 90s
        on_unknown: hold
      chat:
        webhook: {url: "${CHAT_URL}"}
        schedule: {every: 1h}
      file: {outbox: state/outbox, schedule: immediate}
    routes:
      - {themes: [china-russia-dual-use], at_least: high, to: [duty], stop: true}
      - {tags: [export-controls], to: [desk, chat]}
      - {to: [file]}
    """


def test_the_whole_of_what_is_supported():
    loaded = book(WHOLE)
    assert loaded.operator == ("desk", "file")
    assert loaded.receivers == (
        Receiver(
            name="desk",
            target=Email(("desk@example.org", "room12@example.org")),
            schedule=At((time(7), time(19, 30)), "Asia/Kathmandu", frozenset(range(5))),
            group_wait=timedelta(seconds=60),
            always=True,
            catch_up=CatchUp.ONE,
        ),
        Receiver(
            name="duty",
            target=Webhook("https://hooks.example.org/x?k=${KEY}", "${DUTY_SECRET}", (("X-Team", "night"),)),
            group_wait=timedelta(seconds=90),
            on_unknown=OnUnknown.HOLD,
        ),
        Receiver(name="chat", target=Webhook("${CHAT_URL}"), schedule=Every(timedelta(hours=1))),
        Receiver(name="file", target=Outbox("state/outbox"), group_wait=timedelta(0)),
    )
    assert loaded.routes == (
        Route(to=("duty",), themes=("china-russia-dual-use",), at_least=Severity.HIGH, stop=True),
        Route(to=("desk", "chat"), tags=("export-controls",)),
        Route(to=("file",)),
    )


@pytest.mark.parametrize("text", ["", "# operator: [desk]\n\n  # receivers:\n", "\ufeff\n"])
def test_a_file_of_comments_is_as_none(text: str):
    assert load(text) == (DEFAULT_RECEIVERS, [])


def test_the_outbox_is_always_there_for_the_operator():
    loaded = book("receivers: {desk: {email: {to: a@example.org}}}\nroutes: [{to: desk}]")
    assert loaded.operator == ("file",)
    assert [receiver.name for receiver in loaded.receivers] == ["desk", "file"]
    other = book("receivers: {mails: {outbox: state/outbox}}\nroutes: [{to: mails}]")
    assert other.operator == ("mails",)


def test_times_without_a_zone_are_in_the_zone_of_the_settings():
    loaded = book('receivers: {desk: {email: {to: a@example.org}, schedule: {at: "7:05"}}}\nroutes: [{to: desk}]')
    assert loaded.receivers[0].schedule == At((time(7, 5),), "Europe/Vienna")


def test_quiet_hours_reminders_and_catching_up():
    loaded = book("""\
        receivers:
          duty:
            outbox: state/duty
            repeat: 24h
            repeat_max: 5
            quiet_hours: {from: "22:00", to: "6:30", time_zone: Asia/Kolkata, then: drop, pierce: critical}
          desk:
            outbox: state/desk
            schedule: {at: ["07:00", "23:00"], time_zone: Asia/Kolkata}
            catch_up: skip
            repeat: 2d
            quiet_hours: {from: 22:00, to: 06:30}
          mine: {outbox: state/mine, quiet_hours: {from: 12:00, to: 13:00}}
        routes: [{to: [duty, desk, mine]}]
        """)
    duty, desk, mine = loaded.receivers[:3]
    night = Daily(time(22), time(6, 30), "Asia/Kolkata")
    assert (duty.repeat, duty.repeat_max) == (timedelta(days=1), 5)
    assert duty.quiet == QuietHours(night, drop=True, pierce=Severity.CRITICAL)
    assert (desk.catch_up, desk.repeat, desk.repeat_max) == (CatchUp.SKIP, timedelta(days=2), 3)
    assert desk.quiet == QuietHours(night)
    assert mine.quiet == QuietHours(Daily(time(12), time(13), "Europe/Vienna"))
    assert (mine.repeat, mine.catch_up) == (None, CatchUp.ONE)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("[sat, sun]", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("mon, wed - fri", {0, 2, 3, 4}),
        ("Sun", {6}),
    ],
)
def test_days(days: str, expected: set[int]):
    text = f'receivers: {{desk: {{email: {{to: a@example.org}}, schedule: {{at: "07:00", days: {days}}}}}}}'
    if not days.startswith("["):
        text = text.replace(days, f'"{days}"')
    assert book(f"{text}\nroutes: [{{to: desk}}]").receivers[0].schedule.days == expected


def test_without_a_schedule_it_is_immediate():
    loaded = book("receivers: {desk: {email: {to: a@example.org}}}\nroutes: [{to: desk}]")
    assert loaded.receivers[0].schedule == Immediate()
    assert loaded.receivers[0].group_wait == timedelta(seconds=60)


def one(receiver: str) -> str:
    return f"receivers:\n  desk: {receiver}\nroutes: [{{to: [desk]}}]\n"


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        ("{email: {to: [desk@example]}, group_wait: soon}",
         "2:51: 'group_wait' is 'soon'; wanted: a number and s, m, h, d or w, as in 90s or 7d"),
        ("{email: {to: [desk]}}", "2:23: 'desk' is not a plain mail address, as in desk@example.org"),
        ('{email: {to: ["a@example.org, b@example.org"]}}',
         "2:23: 'a@example.org, b@example.org' is not a plain mail address, as in desk@example.org"),
        ("{email: {to: []}}", "2:22: 'to' is empty; name at least one, or leave the line out"),
        ("{email: {together: true}}", "2:17: this email has no 'to': the addresses it goes to"),
        ('{email: {to: ["${ADDRESS}@example.org"]}}',
         "2:23: '${ADDRESS}@example.org' is not a plain mail address, as in desk@example.org"),
        ("{}", "2:9: receiver 'desk' does not say what it is: email, webhook, outbox"),
        ("{webhok: {url: 'https://x.example/'}}",
         "2:10: unknown key 'webhok' in receiver 'desk'; did you mean 'webhook'?"),
        ("{email: {to: a@example.org}, outbox: state/x}",
         "2:38: receiver 'desk' is email and outbox at once; make them two receivers"),
        ("{outbox: ../elsewhere}", "2:18: an outbox is a folder within the working directory, as in state/outbox"),
        ("{outbox: /var/mail}", "2:18: an outbox is a folder within the working directory, as in state/outbox"),
        ("{outbox: state/x, schedule: daily}",
         '2:37: wanted: immediate, {at: ["07:00"], days: mon-fri, time_zone: Europe/Vienna} or {every: 4h}'),
        ('{outbox: state/x, schedule: {at: ["25:00"]}}', "2:43: '25:00' is no time of day; wanted: 00:00 to 23:59"),
        ("{outbox: state/x, schedule: {at: 07:00, time_zone: Europe/Wien}}",
         "2:60: 'Europe/Wien' is not a time zone of the IANA database; did you mean 'Europe/Vienna'?"),
        ("{outbox: state/x, schedule: {at: 07:00, days: mo-fr}}",
         "2:55: 'mo-fr' is no day; wanted: mon, tue, wed, thu, fri, sat, sun or a span as mon-fri"),
        ("{outbox: state/x, schedule: {days: mon}}",
         "2:37: a schedule says 'at' which local times, or 'every' how long"),
        ("{outbox: state/x, schedule: {at: []}}", "2:42: 'at' is empty; name at least one, or leave the line out"),
        ("{outbox: state/x, schedule: {every: 10s}}", "2:45: 'every' is from 1m to 31d"),
        ("{outbox: state/x, schedule: {every: 1h, at: 07:00}}",
         "2:49: 'at' does not go with 'every', which counts from midnight UTC"),
        ("{outbox: state/x, schedule: {every: 1h}, group_wait: 5m}",
         "2:50: 'group_wait' gathers for immediate receivers; this one has a schedule"),
        ("{outbox: state/x, always: true}", "2:27: 'always' is for receivers with a schedule; this one is immediate"),
        ("{outbox: state/x, schedule: {every: 1h}, catch_up: all}",
         "2:60: 'catch_up' is 'all'; wanted: one, each, skip"),
        ("{outbox: state/x, catch_up: each}",
         "2:27: 'catch_up' is for receivers with a schedule; this one is immediate"),
        ("{outbox: state/x, on_unknown: shrug}", "2:39: 'on_unknown' is 'shrug'; wanted: resend, hold"),
        ("{outbox: state/x, repeat: 5s}", "2:35: 'repeat' is from 1m to 31d"),
        ("{outbox: state/x, repeat: 1h, repeat_max: 0}",
         "2:51: 'repeat_max' is '0'; wanted: a whole number from 1 up to 1000"),
        ("{outbox: state/x, repeat_max: 2}", "2:27: 'repeat_max' says how often at most; there is no 'repeat'"),
        ("{outbox: state/x, quiet_hours: 22:00-06:00}",
         '2:40: wanted: {from: "22:00", to: "06:30", then: defer, pierce: critical}'),
        ("{outbox: state/x, quiet_hours: {from: 22:00}}",
         """2:40: quiet hours have no 'to', as in {from: "22:00", to: "06:30"}"""),
        ("{outbox: state/x, quiet_hours: {from: 25:00, to: 06:00}}",
         "2:47: '25:00' is no time of day; wanted: 00:00 to 23:59"),
        ("{outbox: state/x, quiet_hours: {from: 22:00, to: 22:00}}",
         "2:54: quiet hours end when they begin; there would be none"),
        ("{outbox: state/x, quiet_hours: {from: 22:00, to: 06:00, then: sleep}}",
         "2:71: 'then' is 'sleep'; wanted: defer, drop"),
        ("{outbox: state/x, quiet_hours: {from: 22:00, to: 06:00, time_zone: Europe/Wien}}",
         "2:76: 'Europe/Wien' is not a time zone of the IANA database; did you mean 'Europe/Vienna'?"),
        ("{outbox: state/x, quiet_hours: {from: 22:00, to: 06:00, pierce: urgent}}",
         "2:73: 'pierce' is 'urgent'; wanted: info, low, medium, high, critical"),
        ("{outbox: state/x, schedule: {at: [23:00, 05:59]}, quiet_hours: {from: 22:00, to: 06:00}}",
         "2:73: every time of the schedule lies in the quiet hours; nothing would be sent"),
        ("{apprise: '${CHAT}'}", "2:10: 'apprise': chat by apprise is not supported yet"),
        ("{feed: state/x.atom}", "2:10: 'feed': a feed of alerts is not supported yet"),
        ("{exec: [/bin/true]}", "2:10: 'exec': a command is not supported yet"),
        ("{outbox: state/x, shedule: immediate}",
         "2:27: unknown key 'shedule' in receiver 'desk'; did you mean 'schedule'?"),
        ("{webhook: {}}", "2:19: this webhook has no 'url'"),
        ("{webhook: {url: ftp://a.example.org/}}",
         "2:25: 'url' is no web address; wanted: one as in https://hooks.example.org/x, or ${NAME}"),
        ('{webhook: {url: "${MONITOR_SMTP_URL}"}}',
         "2:25: '${MONITOR_SMTP_URL}': a MONITOR_* variable is the program's own and is never put into a request"),
        ('{webhook: {url: "https://a.example.org", headers: {Webhook-Id: x}}}',
         "2:60: 'Webhook-Id' is set by the program"),
        ('{webhook: {url: "https://a.example.org", headers: {"bad name": x}}}', "2:60: 'bad name' is no header's name"),
    ],
)  # fmt: skip
def test_faults_of_a_receiver(receiver: str, expected: str):
    assert expected in faults(one(receiver))


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        ("{webhook: {url: 'https://a.example.org', secret: whsec_hunter2}}", "a secret does not belong into a file"),
        ("{webhook: {url: 'https://u:hunter2@a.example.org'}}", "user and password do not belong into a file"),
        ("{webhook: {url: 'https://a.example.org/?token=hunter2'}}", "'token' in the address looks like a secret"),
        ("{webhook: {url: 'https://a.example.org', headers: {Authorization: Bearer hunter2}}}", "is a secret"),
    ],
)
def test_a_literal_secret_is_a_fault_that_does_not_show_it(receiver: str, words: str):
    loaded, found = load(one(receiver))
    assert loaded is None
    assert any(words in fault.message for fault in found)
    assert not any("hunter2" in str(fault) + fault.excerpt for fault in found)


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("[{to: [dsk]}]", "3:16: unknown receiver 'dsk'; did you mean 'desk'?"),
        ("[{themes: [china-rusia-dual-use], to: desk}]",
         "3:20: unknown theme 'china-rusia-dual-use'; did you mean 'china-russia-dual-use'?"),
        ("[{tags: [export-control], to: desk}]",
         "3:18: unknown tag of a theme 'export-control'; did you mean 'export-controls'?"),
        ("[{at_least: severe, to: desk}]",
         "3:21: 'at_least' is 'severe'; wanted: info, low, medium, high, critical"),
        ("[{themes: [harbour-watch]}]", "3:10: this route has no 'to': the receivers it leads to"),
        ("[{themes: [], to: desk}]", "3:19: 'themes' is empty; name at least one, or leave the line out"),
        ("[{to: desk, stop: true}, {to: file}]", "3:34: never reached: the route in line 3 takes everything and stops"),
        ("[]", "3:1: there are no routes; alerts would reach the operator alone"),
        ("[desk]", "3:10: a route is a block of 'key: value' lines"),
    ],
)  # fmt: skip
def test_faults_of_a_route(routes: str, expected: str):
    found = faults(f"receivers:\n  desk: {{email: {{to: a@example.org}}}}\nroutes: {routes}\n")
    assert any(fault.startswith(expected) for fault in found), found


def test_the_operator_must_be_a_receiver():
    assert faults("operator: [nobody]\n" + one("{outbox: state/x}")) == [
        "1:12: unknown receiver 'nobody'; known: desk, file"
    ]


def test_the_name_of_the_outbox_is_taken():
    found = faults("receivers: {file: {email: {to: a@example.org}}}\nroutes: [{to: file}]")
    assert found == ["1:13: the name 'file' is that of state/outbox; give this receiver another"]


def test_all_faults_come_at_once():
    text = WHOLE.replace("Asia/Kathmandu", "Asia/Nowhere").replace("90s", "90x").replace("[duty]", "[dusty]")
    assert len(faults(text)) == 3


def test_what_was_adopted_under_other_rules_is_read_without_asking_for_themes():
    text = "receivers: {desk: {outbox: state/x}}\nroutes: [{themes: [gone], tags: [former], to: desk}]"
    loaded, found = load_receivers(PATH, text, themes=None, tags=None)
    assert found == []
    assert loaded is not None
    assert loaded.routes[0].themes == ("gone",)


def test_lint_names_the_unsigned_and_the_unreached():
    text = """\
        operator: hook
        receivers:
          hook: {webhook: {url: "https://hooks.example.org/x"}}
          idle: {outbox: state/idle}
        routes: [{to: hook}]
        """
    assert [fault.message for fault in lint_receivers(PATH, book(text))] == [
        "receiver 'hook' has no secret: its peer cannot tell our messages from forged ones",
        "no route leads to receiver 'idle', so it gets nothing",
    ]


def test_lint_names_mail_without_a_server_and_faults_that_nobody_hears_of():
    text = "receivers: {desk: {email: {to: a@example.org}}}\nroutes: [{to: desk}]"
    nobody = "no 'operator' is named: faults, and alerts that no route takes, are told to state/outbox alone"
    assert [fault.message for fault in lint_receivers(PATH, book(text))] == [nobody]
    assert [fault.message for fault in lint_receivers(PATH, book(text), mails=False)] == [
        "receiver 'desk' is to get mail, but smtp_url is not set: nothing can be sent to it",
        nobody,
    ]
    assert lint_receivers(PATH, DEFAULT_RECEIVERS, mails=False) == []


def test_lint_names_themes_that_nobody_gets():
    text = "operator: desk\nreceivers: {desk: {outbox: state/desk}}\nroutes: [{themes: harbour-watch, to: desk}]"
    place = {"rules": (), "scope": {}, "title": "x", "path": "themes/x.yaml", "line": 1, "column": 8}
    themes = (
        Theme(id="harbour-watch", owner="desk", **place),
        Theme(id="china-russia-dual-use", owner="dekc", **place),
        Theme(id="tried-out", mode=Mode.SHADOW, **place),
        Theme(id="put-away", mode=Mode.OFF, owner="nobody", **place),
    )
    assert [str(fault) for fault in lint_receivers(PATH, book(text), themes)] == [
        "themes/x.yaml:1:8: the owner of theme 'china-russia-dual-use', 'dekc', is no receiver; "
        "the operator is told instead",
        "themes/x.yaml:1:8: no route takes alerts of theme 'china-russia-dual-use'; they go to the operator",
    ]


# --- what this machine has and permits

WRITTEN = """\
    receivers:
      duty:
        webhook:
          url: "http://10.1.2.3/${PLACE}"
          secret: ${SECRET}
          headers: {Authorization: "Bearer ${TOKEN}"}
    routes: [{to: duty}]
    """


def test_missing_variables_and_refused_addresses_are_faults_where_that_is_asked():
    def refuse(url: str) -> str | None:
        return "10.1.2.3 is private" if "10.1.2.3" in url else None

    def found(surroundings: Surroundings) -> list[str]:
        faults = load_receivers(PATH, dedent(WRITTEN), themes=None, tags=None, surroundings=surroundings)[1]
        return [str(fault).removeprefix(f"{PATH}:").partition(";")[0] for fault in faults]

    assert found(ANYWHERE) == []
    assert found(Surroundings({"PLACE", "SECRET", "TOKEN"}, lambda url: None)) == []
    assert found(Surroundings({"PLACE"}, refuse)) == [
        "4:12: 10.1.2.3 is private",
        "5:15: variable SECRET is not set",
        "6:32: variable TOKEN is not set",
    ]


def test_no_other_fault_shows_the_line_of_a_secret():
    text = "receivers: {duty: {webhook: {url: 'https://x.example/', secret: whsec_c2VjcmV0}, x: y}}\nroutes: [{to: x}]"
    _, found = load(text)
    assert len(found) == 3
    assert not any("c2VjcmV0" in fault.excerpt for fault in found)
