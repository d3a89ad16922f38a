"""Settings: `monitor.toml` and `MONITOR_*`, checked all at once. Secrets live here and in no event, log line or
message.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from monitor.errors import ConfigurationError, Fault

FILE_NAME = "monitor.toml"
_ADDRESS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_SENDER = re.compile(rf'{_ADDRESS}|(?:"[^"\\]*"|[^"\\(),:;<>@\[\]]*) *<{_ADDRESS}>')


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Everything that is configured outside `rules/` and `seeds/`. Texts are checked here and parsed where they are
    used.
    """

    home: Path
    database_url: str
    smtp_url: str | None = None
    mail_from: str | None = None
    allow_networks: str = ""
    proxy: str | None = None
    public_url: str | None = None
    contact: str | None = None
    time_zone: str = "UTC"
    log_format: str = "console"
    listen: str = "127.0.0.1:8765"
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    def origin(self, key: str) -> str:
        """Where a key was set, for faults about it: `monitor.toml: proxy`, `MONITOR_PROXY`."""
        return self.origins.get(key, key)

    @property
    def rules(self) -> Path:
        return self.home / "rules"

    @property
    def seeds(self) -> Path:
        return self.home / "seeds"

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def on_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    def recorded(self) -> dict[str, str]:
        """The settings that shape what a digest says; safe to store."""
        return {"time_zone": self.time_zone, "public_url": self.public_url or "", "mail_from": self.mail_from or ""}


class Secrets(Mapping[str, str]):
    """`${NAME}` → value, from `NAME`, `NAME_FILE` or a systemd credential; never `MONITOR_*`. Read at the moment of
    use.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        if name.startswith("MONITOR_"):
            raise KeyError(name)
        try:
            value = _value_of(name, name, self._environ)
        except OSError:
            value = None
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._environ if not name.startswith("MONITOR_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def find_home(given: Path | None, environ: Mapping[str, str], start: Path) -> Path:
    """`--home`, else `MONITOR_HOME`, else the nearest parent of `start` that has `rules/` and `seeds/`."""
    if given is not None:
        return _existing(given, "--home")
    if environ.get("MONITOR_HOME"):
        return _existing(Path(environ["MONITOR_HOME"]), "MONITOR_HOME")
    for folder in (start, *start.parents):
        if (folder / "rules").is_dir() and (folder / "seeds").is_dir():
            return folder
    raise ConfigurationError(
        f"no working directory: neither '{start}' nor a folder above it has rules/ and seeds/; "
        "go to one, give --home DIR, or make one with `monitor init DIR`"
    )


def load_settings(home: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force: environment before file before default.

    Raises `ConfigurationError` with every fault, each with its key and where it came from; no value of a secret is
    shown.
    """
    faults: list[Fault] = []
    table = _read_file(home / FILE_NAME, faults)
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    for key, check in _CHECKS.items():
        name = f"MONITOR_{key.upper()}"
        try:
            value, origin = _value_of(name, key, environ), name
        except OSError as error:
            faults.append(Fault(f"{name}_FILE", 0, 0, f"'{error.filename}' cannot be read ({error.strerror})"))
            continue
        if value is None:
            value, origin = table.get(key), f"{FILE_NAME}: {key}"
        if value is None or value == "":
            continue
        problem = check(value)
        if problem:
            faults.append(Fault(origin, 0, 0, problem))
        else:
            values[key], origins[key] = value, origin
    if faults:
        raise ConfigurationError("settings are at fault; nothing was started", tuple(faults))
    values.setdefault("database_url", f"sqlite:///{home / 'state' / 'monitor.db'}")
    return Settings(home=home, **values, origins=origins)


def _existing(path: Path, origin: str) -> Path:
    if not path.is_dir():
        raise ConfigurationError(f"{origin} '{path}' is not a folder; make one with `monitor init {path}`")
    return path.resolve()


def _read_file(path: Path, faults: list[Fault]) -> dict[str, str]:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(Fault(FILE_NAME, 0, 0, f"cannot be read: {error}"))
        return {}
    table: dict[str, str] = {}
    for key, value in raw.items():
        if key not in _CHECKS:
            near = difflib.get_close_matches(key, _CHECKS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(_CHECKS)}"
            faults.append(Fault(f"{FILE_NAME}: {key}", 0, 0, f"unknown setting{hint}"))
        elif key == "allow_networks" and isinstance(value, list) and all(isinstance(item, str) for item in value):
            table[key] = ",".join(value)
        elif isinstance(value, str):
            table[key] = value
        else:
            wanted = "a text in quotes, or a list of such," if key == "allow_networks" else "a text in quotes"
            faults.append(Fault(f"{FILE_NAME}: {key}", 0, 0, f"{wanted} was expected"))
    return table


def _value_of(name: str, credential: str, environ: Mapping[str, str]) -> str | None:
    if name in environ:
        return environ[name]
    path = environ.get(f"{name}_FILE")
    if path is None and "CREDENTIALS_DIRECTORY" in environ:
        candidate = Path(environ["CREDENTIALS_DIRECTORY"]) / credential
        path = str(candidate) if candidate.is_file() else None
    if path is None:
        return None
    return Path(path).read_text("utf-8", "replace").strip()


def _one_of(*allowed: str) -> Callable[[str], str | None]:
    return lambda value: None if value in allowed else f"'{value}' is not one of {', '.join(allowed)}"


def _url(*schemes: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        try:
            parts = urlsplit(value)
            sound = parts.scheme in schemes and (bool(parts.hostname) or parts.scheme == "sqlite")
            _ = parts.port
        except ValueError:
            sound = False
        # The value may hold a password: it is not shown.
        return None if sound else f"not an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"

    return check


def _zone(value: str) -> str | None:
    if value in available_timezones():
        ZoneInfo(value)
        return None
    near = difflib.get_close_matches(value, sorted(available_timezones()), n=1)
    return f"'{value}' is not a time zone of the IANA database" + (f"; did you mean '{near[0]}'?" if near else "")


def _listen(value: str) -> str | None:
    host, _, port = value.rpartition(":")
    sound = value == "off" or (host != "" and port.isdigit() and int(port) < 65536)
    return None if sound else f"'{value}' is neither HOST:PORT nor off"


def _sender(value: str) -> str | None:
    if value.isprintable() and _SENDER.fullmatch(value):
        return None
    return f'{value!r} is not one mail address, as in desk@example.org or "Desk" <desk@example.org>'


def _one_line(value: str) -> str | None:
    return "must be one line" if any(ord(char) < 32 for char in value) else None


def _anything(_: str) -> str | None:
    return None


_CHECKS: Mapping[str, Callable[[str], str | None]] = {
    "database_url": _url("sqlite", "postgresql", "postgresql+psycopg"),
    "smtp_url": _url("smtp", "smtps"),
    "mail_from": _sender,
    "allow_networks": _anything,  # app.py parses it, with faults of its own
    "proxy": _url("http", "https"),
    "public_url": _url("http", "https"),
    "contact": _one_line,
    "time_zone": _zone,
    "log_format": _one_of("console", "json"),
    "listen": _listen,
}
