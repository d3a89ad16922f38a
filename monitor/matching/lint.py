"""Legal but poor: what a careful colleague would point out in a rule book."""

from __future__ import annotations

from monitor.errors import Fault
from monitor.matching.book import RuleBook


def lint(book: RuleBook) -> list[Fault]:
    """Remarks, each at its place."""
    return []
