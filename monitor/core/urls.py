"""Addresses as they may be stored and shown, and as they identify an entry."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

CUT = "***"

_SECRET_KEY = re.compile(
    r"(?:^|[-_.\[])(?:token|key|sig|signature|secret|auth|authorization|pass|password|passwd|pwd|jwt|credentials?|session)\]?$"
    r"|(?:token|apikey|secret|password|signature|sessid|sessionid|authkey)$",
    re.IGNORECASE,
)
_TRACKER = re.compile(
    r"(?:utm_.*|at_(?:medium|campaign|format|link_.*)|mc_[ce]id|(?:fb|g|y)clid|gclsrc|dclid|msclkid|wbraid|gbraid|igshid|cmpid"
    r"|ns_campaign|ns_mchannel|ns_source|xtor|wt\.mc_id|wt\.rss_f|ocid|ftag|guccounter|__twitter_impression)$",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def secret_query_keys(url: str) -> tuple[str, ...]:
    """Names of query parameters whose values look like secrets (`token`, `api_key`, `X-Amz-Signature`, …)."""
    names = (pair.partition("=") for pair in _split(url).query.split("&"))
    return tuple(name for name, _, value in names if value and value != CUT and _SECRET_KEY.search(name))


def redact_url(url: str) -> str:
    """The address without user, password and the values of secret query keys: fit to store, list and log."""
    parts = _split(url)
    userinfo, at, _ = parts.netloc.rpartition("@")
    if at:
        start = url.index("//") + 2
        url = url[:start] + url[start + len(userinfo) + 1 :]
    secrets = secret_query_keys(url)
    if secrets:
        head, mark, tail = url.partition("?")
        query, hash_mark, fragment = tail.partition("#")
        url = head + mark + "&".join(_redact_pair(pair) for pair in query.split("&")) + hash_mark + fragment
    return url


def _redact_pair(pair: str) -> str:
    name, mark, value = pair.partition("=")
    return f"{name}{mark}{CUT}" if value and _SECRET_KEY.search(name) else pair


def canonical_url(url: str, *, fragment: bool = False) -> str:
    """What makes two addresses the same page: no scheme, default port, trackers or (unless asked for) fragment.

    For recognising an entry only; never fetched, stored or shown.
    """
    parts = _split(redact_url(url.strip()))
    if not parts.netloc:
        return url.strip()
    host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme.lower(), "\0"))
    pairs = [pair for pair in parts.query.split("&") if pair and not _TRACKER.match(pair.partition("=")[0])]
    query = "?" + "&".join(pairs) if pairs else ""
    tail = "#" + parts.fragment if fragment and parts.fragment else ""
    return host + (parts.path or "/") + query + tail


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket out of place in the host
        return SplitResult("", "", url, "", "")
