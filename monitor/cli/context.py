"""What every command needs first: the working directory and the settings."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from monitor.settings import Settings, find_home, load_settings

given_home: Path | None = None
"""`--home DIR`, where it was given."""


def home() -> Path:
    """The working directory; raises `ConfigurationError` where there is none."""
    return find_home(given_home, os.environ, Path.cwd())


def settings() -> Settings:
    """The settings of the working directory, which say how to log from now on; raises `ConfigurationError` with every
    fault.
    """
    from monitor.cli.logs import set_up_logging  # its library is large, and `--help` needs none

    loaded = load_settings(home())
    set_up_logging(loaded.log_format)
    return loaded


def actor() -> str:
    """Who acts, for the log: the user's login name."""
    try:
        return f"user:{getpass.getuser()}"
    except (ImportError, KeyError, OSError):  # ImportError: no USERNAME on Windows
        return f"user:{os.getuid()}" if hasattr(os, "getuid") else "user"
