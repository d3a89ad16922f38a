"""What a receiver is: mail addresses, a webhook or a folder. No secret stands in a file."""

from __future__ import annotations

import re
from collections.abc import Callable

from monitor.core.routing import OUTBOX_PATH, Email, Outbox, Target, Webhook
from monitor.core.urls import secret_query_keys
from monitor.core.variables import variables
from monitor.errors import Fault
from monitor.rulebook.document import Fields, Node, did_you_mean
from monitor.rulebook.schedules import listed, short
from monitor.rulebook.written import VARIABLE, Surroundings, unseen

_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]{}\"\\]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "content-length", "host")
_SECRET_HEADER = re.compile(r"(?i)authorization|cookie|token|secret|password|(?:^|-)key$")


def read_target(fields: Fields, name: str, faults: list[Fault], surroundings: Surroundings) -> Target:
    """What the receiver `name` is; exactly one of email, webhook, outbox."""
    written = [channel for channel in _READERS if fields.has(channel)]
    if len(written) > 1:
        message = f"receiver '{name}' is {' and '.join(written)} at once; make them two receivers"
        fields.fault(fields.key(written[1]), message)
    if not written and not any(fields.has(key) for key in ("apprise", "feed", "exec")):
        _say_what_is_missing(fields, name)
    targets = [_READERS[channel](fields, faults, surroundings) for channel in written]
    return targets[0] if targets else Outbox()


def _say_what_is_missing(fields: Fields, name: str) -> None:
    keys = [key for key, _ in fields.where.pairs] if fields.where.kind == "map" else []
    for key in keys:
        if hint := did_you_mean(key.text, _READERS):
            fields.fault(key, f"unknown key '{short(key.text)}' in receiver '{name}'{hint}")
            fields.node(key.text)
            return
    fields.fault(fields.where, f"receiver '{name}' does not say what it is: {', '.join(_READERS)}")


def _email(outer: Fields, faults: list[Fault], surroundings: Surroundings) -> Email:
    node = outer.node("email")
    if node is None:
        return Email(())
    fields = Fields(node, outer.path, faults, "email")
    addresses = listed(fields, "to", "this email has no 'to': the addresses it goes to")
    to = tuple(address.text for address in addresses if _is_address(fields, address))
    together = fields.flag("together")
    fields.finish()
    return Email(to, together)


def _is_address(fields: Fields, node: Node) -> bool:
    if _ADDRESS.fullmatch(node.text) and node.text.isascii() and len(node.text) <= 254:
        return True
    fields.fault(node, f"'{short(node.text)}' is not a plain mail address, as in desk@example.org")
    return False


def _webhook(outer: Fields, faults: list[Fault], surroundings: Surroundings) -> Webhook:
    node = outer.node("webhook")
    if node is None:
        return Webhook("")
    fields = Fields(node, outer.path, faults, "webhook")
    url = fields.text("url", required=True) or ""
    if url:
        _check_url(fields, url, faults, surroundings)
    secret = fields.text("secret")
    if secret is not None:
        _check_secret(fields, secret, faults, surroundings)
    headers = _headers(fields, faults, surroundings)
    fields.finish()
    return Webhook(url, secret, headers)


def _check_url(fields: Fields, url: str, faults: list[Fault], surroundings: Surroundings) -> None:
    node = fields.node("url")
    assert node is not None, "it was just read"
    surroundings.check_variables(fields, node)
    literal = VARIABLE.sub("x", url)
    if not VARIABLE.fullmatch(url) and not re.match(r"https?://[^\s/@?#]+(?:[/?#]\S*)?\Z", literal):
        if "@" in literal:
            faults.append(unseen(node, "user and password do not belong into a file; put the address into ${NAME}"))
        else:
            fields.fault(node, "'url' is no web address; wanted: one as in https://hooks.example.org/x, or ${NAME}")
    for key in secret_query_keys(VARIABLE.sub("", url)):
        faults.append(unseen(node, f"'{key}' in the address looks like a secret; write its value as ${{NAME}}"))
    surroundings.check_address(fields, node)


def _check_secret(fields: Fields, secret: str, faults: list[Fault], surroundings: Surroundings) -> None:
    node = fields.node("secret")
    assert node is not None, "it was just read"
    if VARIABLE.fullmatch(secret):
        surroundings.check_variables(fields, node)
    else:
        faults.append(unseen(node, "a secret does not belong into a file; write ${NAME} and set it in the environment"))


def _headers(outer: Fields, faults: list[Fault], surroundings: Surroundings) -> tuple[tuple[str, str], ...]:
    node = outer.node("headers")
    if node is None:
        return ()
    if node.kind != "map":
        outer.fault(node, "'headers' is a block of 'Name: value' lines")
        return ()
    found = []
    for key, value in node.pairs:
        if not _HEADER.fullmatch(key.text):
            outer.fault(key, f"'{short(key.text)}' is no header's name")
        elif key.text.lower() in _OURS:
            outer.fault(key, f"'{key.text}' is set by the program")
        elif outer.is_text(value):
            surroundings.check_variables(outer, value)
            if _SECRET_HEADER.search(key.text) and not variables(value.text):
                faults.append(unseen(value, f"the value of '{key.text}' is a secret; write it as ${{NAME}}"))
            if "\n" in value.text or "\r" in value.text:
                outer.fault(value, "a header's value is one line")
            found.append((key.text, value.text))
    return tuple(found)


def _outbox(outer: Fields, faults: list[Fault], surroundings: Surroundings) -> Outbox:
    path = outer.text("outbox") or OUTBOX_PATH
    node = outer.node("outbox")
    if node is None or node.kind != "text":
        return Outbox()
    parts = re.split(r"[/\\]", path)
    if path.startswith(("/", "\\", "~")) or ":" in path or ".." in parts or "${" in path:
        outer.fault(node, "an outbox is a folder within the working directory, as in state/outbox")
    return Outbox("/".join(part for part in parts if part not in ("", ".")))


_Reader = Callable[[Fields, list[Fault], Surroundings], Target]
_READERS: dict[str, _Reader] = {
    "email": _email,
    "webhook": _webhook,
    "outbox": _outbox,
}
