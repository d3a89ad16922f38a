"""Settings from file, environment and secret files; every fault at once, no secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.books import parsed
from monitor.errors import ConfigurationError
from monitor.settings import Secrets, find_home, load_settings


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.database_url == f"sqlite:///{tmp_path}/state/monitor.db"
    assert (settings.time_zone, settings.smtp_url, settings.allow_networks) == ("UTC", None, "")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text('time_zone = "Europe/Vienna"\ncontact = "desk"\n')
    settings = load_settings(tmp_path, {"MONITOR_TIME_ZONE": "Asia/Tokyo"})
    assert (settings.time_zone, settings.contact) == ("Asia/Tokyo", "desk")


def test_networks_may_be_a_list_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text('allow_networks = ["10.0.0.0/8", "127.0.0.1/32:8080"]\n')
    assert load_settings(tmp_path, {}).allow_networks == "10.0.0.0/8,127.0.0.1/32:8080"


def test_a_fault_found_later_knows_where_the_setting_stands(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text('allow_networks = ["10.0.0.0/99"]\n')
    with pytest.raises(ConfigurationError) as caught:
        parsed(load_settings(tmp_path, {"MONITOR_SMTP_URL": "smtp://mail.example.org:0?starttls=perhaps"}))
    assert [str(fault).partition(": ")[0] for fault in caught.value.faults] == ["monitor.toml", "MONITOR_SMTP_URL"]
    assert "monitor.toml: allow_networks: " in str(caught.value.faults[0])
    (tmp_path / "monitor.toml").write_text("allow_networks = 10\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, {})
    assert [str(fault) for fault in caught.value.faults] == [
        "monitor.toml: allow_networks: a text in quotes, or a list of such, was expected"
    ]


def test_all_faults_come_at_once_each_with_its_origin(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text('time_zone = "Europe/Wien"\ncontakt = "desk"\n')
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, {"MONITOR_LOG_FORMAT": "xml", "MONITOR_LISTEN": "everywhere"})
    said = sorted(map(str, caught.value.faults))
    assert said == [
        "MONITOR_LISTEN: 'everywhere' is neither HOST:PORT nor off",
        "MONITOR_LOG_FORMAT: 'xml' is not one of console, json",
        "monitor.toml: contakt: unknown setting; did you mean 'contact'?",
        "monitor.toml: time_zone: 'Europe/Wien' is not a time zone of the IANA database; did you mean 'Europe/Vienna'?",
    ]


def test_a_password_in_a_faulty_address_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, {"MONITOR_SMTP_URL": "smpt://user:geheim@mail.example.org"})
    assert "geheim" not in f"{caught.value} {caught.value.faults}"


@pytest.mark.parametrize(
    "sender",
    ["desk@example.org", "desk@localhost", "Watch desk <desk@example.org>", "Müller <m@example.org>",
     '"Watch Desk, Vienna" <desk@example.org>', "监测 <desk@example.org>", "Dr. O'Hara <a@b.example>"],
)  # fmt: skip
def test_a_sender_is_one_address_with_or_without_a_name(tmp_path: Path, sender: str) -> None:
    assert load_settings(tmp_path, {"MONITOR_MAIL_FROM": sender}).mail_from == sender


@pytest.mark.parametrize(
    "sender",
    ["Müller <m@exämple.org>", "müller@example.org", "Watch Desk, Vienna <desk@example.org>", "desk@", "@example.org",
     "desk", "a@example.org, b@example.org", "Desk <desk@example.org", "de sk@example.org",
     "desk@example.org\r\nBcc: a@b", "a@b@example.org", "<>", "desk@[10.0.0.1]", "desk\u202e <desk@example.org>"],
)  # fmt: skip
def test_a_sender_that_no_mail_can_have_is_a_fault(tmp_path: Path, sender: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, {"MONITOR_MAIL_FROM": sender})
    (fault,) = caught.value.faults
    assert fault.path == "MONITOR_MAIL_FROM"
    assert "is not one mail address" in fault.message
    assert "\n" not in fault.message
    assert "\u202e" not in fault.message


def test_settings_do_not_print_themselves(tmp_path: Path) -> None:
    assert "geheim" not in repr(load_settings(tmp_path, {"MONITOR_SMTP_URL": "smtp://user:geheim@mail.example.org"}))


def test_a_broken_file_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "monitor.toml").write_text("time_zone = ")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, {})
    assert str(caught.value.faults[0]).startswith("monitor.toml: cannot be read: ")


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "smtp").write_text("smtp://mail.example.org\n")
    settings = load_settings(tmp_path, {"MONITOR_SMTP_URL_FILE": str(tmp_path / "smtp")})
    assert settings.smtp_url == "smtp://mail.example.org"


def test_a_systemd_credential_is_found(tmp_path: Path) -> None:
    (tmp_path / "smtp_url").write_text("smtp://mail.example.org")
    assert load_settings(tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}).smtp_url == "smtp://mail.example.org"


def test_a_secret_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path, {"MONITOR_SMTP_URL_FILE": "/nowhere/smtp", "MONITOR_LOG_FORMAT": "xml"})
    said = " ".join(map(str, caught.value.faults))
    assert "MONITOR_SMTP_URL_FILE: '/nowhere/smtp' cannot be read (No such file or directory)" in said
    assert "xml" in said


def test_secrets_never_hand_out_settings() -> None:
    secrets = Secrets({"DUTY_SECRET": "a", "MONITOR_SMTP_URL": "b"})
    assert secrets["DUTY_SECRET"] == "a"
    with pytest.raises(KeyError):
        secrets["MONITOR_SMTP_URL"]
    assert list(secrets) == ["DUTY_SECRET"]


def test_home_is_the_nearest_folder_with_rules_and_seeds(tmp_path: Path) -> None:
    for name in ("rules", "seeds/documents"):
        (tmp_path / name).mkdir(parents=True)
    assert find_home(None, {}, tmp_path / "seeds" / "documents") == tmp_path


def test_a_home_given_wins_and_must_exist(tmp_path: Path) -> None:
    assert find_home(tmp_path, {"MONITOR_HOME": "/nowhere"}, Path("/")) == tmp_path
    with pytest.raises(ConfigurationError, match="MONITOR_HOME '/nowhere' is not a folder"):
        find_home(None, {"MONITOR_HOME": "/nowhere"}, tmp_path)


def test_without_a_home_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="monitor init DIR"):
        find_home(None, {}, tmp_path)
