"""Addresses as they may be stored and shown, and as they identify an entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, unquote, urlsplit

CUT = "***"

_SECRET_KEY = re.compile(
    r"(?:^|[-_.\[])(?:token|key|sig|signature|secret|auth|authorization|pass|password|passwd|pwd|jwt|credentials?|session)\]?$"
    r"|(?:token|apikey|secret|password|signature|sessid|sessionid|authkey)$",
    re.IGNORECASE,
)
_USER = re.compile(r"^([^/?#]*/[\t\r\n]*/)[^/?#]*@")
_PARAMETER = re.compile(r"(?<=[?&;#])[^?&;#=]+=")
_VALUE = re.compile(r"(?:[^&;#]|;(?![^&;#=]*=))+")  # a `;` that begins no other parameter belongs to it
_TRACKER = re.compile(
    r"(?:utm_.*|at_(?:medium|campaign|format|link_.*)|mc_[ce]id|(?:fb|g|y)clid|gclsrc|dclid|msclkid|wbraid|gbraid|igshid|cmpid"
    r"|ns_campaign|ns_mchannel|ns_source|xtor|wt\.mc_id|wt\.rss_f|ocid|ftag|guccounter|__twitter_impression)$",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def secret_query_keys(url: str) -> tuple[str, ...]:
    """Names of parameters whose values look like secrets (`token`, `api_key`, `X-Amz-Signature`, …), as written."""
    return tuple(url[name] for name, value in _secrets(url) if url[value] != CUT)


def redact_url(url: str) -> str:
    """The address without user, password and the values of secret parameters: fit to store, list and log."""
    # By patterns, not `urlsplit`: what is no address holds secrets too.
    url = _USER.sub(r"\1", url)
    shown, at = "", 0
    for _, value in _secrets(url):
        shown += url[at : value.start] + CUT
        at = value.stop
    return shown + url[at:]


def _secrets(url: str) -> Iterator[tuple[slice, slice]]:
    """Where the names and values of secret parameters stand, be it in path, query or fragment."""
    query = url.find("?")
    at = 0
    for found in _PARAMETER.finditer(url):
        start, name = found.end(), slice(found.start(), found.end() - 1)
        if start <= at or not _SECRET_KEY.search(unquote(url[name])):
            continue
        value = _VALUE.match(url, start, query if start < query else len(url))
        if value is not None:
            at = value.end()
            yield name, slice(start, at)


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
