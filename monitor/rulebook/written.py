"""What an owner writes of the outside: `${NAME}`, addresses, secrets; judged by what this machine has and permits."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from monitor.core.variables import name_problem, variables
from monitor.errors import Fault
from monitor.rulebook.document import Fields, Node
from monitor.rulebook.nodes import MAX_FAULTS, too_many

VARIABLE = re.compile(r"\$\{[^}]*\}")

Refuse = Callable[[str], str | None]
"""Why an address must not be asked (it is private and not permitted), in words; None where it may."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """`known_variables`: names that have a value, where missing ones are to be faults. `refuse`: judges written
    addresses. None: not asked.
    """

    known_variables: Collection[str] | None = None
    refuse: Refuse | None = None

    def check_variables(self, fields: Fields, node: Node) -> None:
        """Fault each `${NAME}` that cannot be, or that has no value."""
        for name in variables(node.text):
            problem = name_problem(name)
            if problem is None and self.known_variables is not None and name not in self.known_variables:
                problem = f"variable {name} is not set; set it in the environment, or {name}_FILE"
            if problem is not None:
                fields.fault(node, problem)

    def check_address(self, fields: Fields, node: Node) -> None:
        """Fault an address that must not be asked, as far as it is written out."""
        reason = self.refuse(VARIABLE.sub("x", node.text)) if self.refuse is not None else None
        if reason is not None:
            fields.fault(node, reason)


ANYWHERE = Surroundings()
"""Asks nothing, so that a text means the same on every machine."""


def unseen(node: Node, message: str) -> Fault:
    """A fault that does not show its line: a secret stands in it."""
    return replace(node.fault(message), excerpt="")


def veiled(faults: Iterable[Fault]) -> list[Fault]:
    """The faults of a file, as many as are listed, without the excerpt of a line that another one must not show."""
    found = list(faults)
    hidden = {fault.line for fault in found if not fault.excerpt}
    if len(found) > MAX_FAULTS:
        found = [*found[:MAX_FAULTS], too_many(found[0].path, len(found))]
    return [replace(fault, excerpt="") if fault.line in hidden else fault for fault in found]
