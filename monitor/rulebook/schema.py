"""JSON Schemas (draft 7) of the YAML files, for editors that complete and check while typing.

They state shapes; names, expressions and terms are judged by `monitor check`. Numbers and flags may be written plainly:
an editor reads `7` as a number where this program reads text.
"""

from __future__ import annotations

import json
from typing import Any, Final

from monitor.matching.model import Mode, Severity

KINDS: Final = ("theme", "concepts", "sources", "receivers")
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_NAME: Final = "^[a-z0-9][a-z0-9-]*$"

Schema = dict[str, Any]


def schema_of(kind: str) -> str:
    """The schema of one kind of file, as JSON text."""
    build = {"theme": _theme, "concepts": _concepts_file, "sources": _sources, "receivers": _receivers}[kind]
    return json.dumps({"$schema": _DRAFT, **build()}, indent=2, ensure_ascii=False) + "\n"


def _object(properties: Schema, required: tuple[str, ...] = (), about: str = "", **more: Any) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    if required:
        found["required"] = list(required)
    return _about(found, about)


def _about(schema: Schema, about: str) -> Schema:
    return {**schema, "description": about} if about else schema


def _text(about: str = "", **more: Any) -> Schema:
    return _about({"type": ["string", "number", "boolean"], **more}, about)


def _words(about: str = "") -> Schema:
    return _about({"oneOf": [_text(), {"type": "array", "items": _text()}]}, about)


def _list(items: Schema, about: str = "") -> Schema:
    return _about({"type": "array", "items": items}, about)


def _choice(words: Any, about: str = "") -> Schema:
    return _about({"enum": [str(word) for word in words]}, about)


def _duration(about: str) -> Schema:
    return _about({"type": ["string", "integer"], "pattern": "^(0|[0-9]+ ?[smhdw])$"}, about)


def _flag(about: str) -> Schema:
    return _about({"type": "boolean"}, about)


def _number(about: str, minimum: int = 0) -> Schema:
    return _about({"type": "integer", "minimum": minimum}, about)


def _name(about: str) -> Schema:
    return _about({"type": "string", "pattern": _NAME}, about)


def _severity(about: str = "How urgent.") -> Schema:
    return _choice(Severity, about)


# --- themes and concepts


def _terms() -> Schema:
    written_out = _object(
        {"term": _text("The term."), "only_in": _words("Only in entries of these languages.")}, ("term",)
    )
    item = {"oneOf": [_text(), written_out]}
    return {"oneOf": [_text(), {"type": "array", "items": item}]}


def _concept() -> Schema:
    full = _object(
        {
            "terms": _about(_terms(), "Words and phrases; * any ending or beginning, ? one letter, =exact, /regex/."),
            "include": _words("Concepts whose hits count too."),
            "except": _about(_terms(), "Hits inside hits of these do not count."),
            "list": _text("A watch-list: watchlists/<file>.csv or .txt."),
        },
        about="A set of terms under a name.",
        patternProperties={"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$": _about(_terms(), "Terms in this language.")},
    )
    return {"oneOf": [{"type": "array", "items": _terms()["oneOf"][1]["items"]}, full]}


def _concepts() -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": _concept(),
        "description": "Concepts by name.",
    }


def _concepts_file() -> Schema:
    return {"title": "Vocabulary", **_object({"concepts": _concepts()}, ("concepts",))}


def _where() -> Schema:
    return _object(
        {
            "languages": _words("Language codes; zh covers both scripts. An unknown language passes."),
            "sources": _words("Source ids."),
            "tags": _words("Tags of the source; one suffices."),
            "domains": _words("Domains of the entry's address, subdomains included."),
            "not_domains": _words("Domains that are shut out."),
            "max_age": _duration("Between published and first seen; an unknown date passes."),
            "min_words": _number("Words of title and text."),
        },
        about="What an entry must be, beside its words.",
    )


def _rule() -> Schema:
    return _object(
        {
            "id": _name("Name of the rule within its theme."),
            "when": _text('The condition: concepts, "literals", and or not, w/10 w/s w/p pre/10, title:(…).'),
            "unless": _text("Removes this rule's match where it holds anywhere in the entry."),
            "severity": _severity("Instead of the theme's."),
            "where": _where(),
            "anchor": _text("The concept near misses are looked for by."),
        },
        ("id", "when"),
    )


def _correlation() -> Schema:
    counted = _choice(("stories", "entries"))
    return _object(
        {
            "id": _name("Name of the correlation."),
            "count": _about(counted, "At least so many within a sliding time."),
            "spike": _about(counted, "The last day against the mean of the days before."),
            "first_seen": _text("A concept with a watch-list: a name not seen before."),
            "absence": _about(counted, "Nothing for so long."),
            "at_least": _number("So many.", 1),
            "within": _duration("In this time."),
            "factor": _number("So many times the mean.", 2),
            "over": _duration("The days before."),
            "severity": _severity(),
        },
        ("id",),
    )


def _example() -> Schema:
    full = _object(
        {
            "title": _text("Title."),
            "text": _text("Text."),
            "lang": _text("Language code."),
            "url": _text("Address."),
            "author": _text("Author."),
            "source": _text("Source id."),
            "tags": _words("Tags of the source."),
            "rule": _text("This rule must match (or must not)."),
            "near_miss": _flag("Must fail by one clause only."),
        }
    )
    return {"oneOf": [_text(), full]}


def _theme() -> Schema:
    return {
        "title": "Theme",
        **_object(
            {
                "theme": _name("Id of the theme."),
                "title": _text("What people read."),
                "description": _text("What it is about, in a sentence or two."),
                "owner": _text("A receiver: gets this theme's receipts, faults and scorecard."),
                "contact": _text("Whom to ask; free text."),
                "severity": _severity(),
                "mode": _choice(Mode, "live, shadow (matches and counts, sends nothing) or off."),
                "tags": _words("For routes."),
                "use": _words("Shared vocabularies: rules/concepts/<name>.yaml."),
                "close_after": _duration("No new entry of the story that long: the alert closes."),
                "near_misses": {
                    "oneOf": [_number("At most so many in a digest; not acted on yet."), _choice(("off",))]
                },
                "receipt": _flag("Tell the owner what a change of the rules changes."),
                "rematch": _duration("How far back changed rules are run on adoption; 0: not at all."),
                "concepts": _concepts(),
                "rules": {"type": "array", "minItems": 1, "items": _rule()},
                "correlate": _list(_correlation(), "Counts over time; not acted on yet."),
                "examples": _object({"match": _list(_example()), "no_match": _list(_example())}),
            },
            ("theme", "title", "rules"),
        ),
    }


# --- sources and receivers


def _sources() -> Schema:
    settings: Schema = {
        "every": _duration("What the owner wants; the server's word and politeness win."),
        "tags": _words("For rules and lists."),
        "tier": _choice(("official", "press", "blog"), "Weighs in severity."),
        "full_text": _flag("Fetch and extract the linked article as well."),
        "language": _text("A hint; otherwise the feed's own word."),
        "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "May hold ${NAME}."},
    }
    source = _object(
        {
            "id": _name("Stable name."),
            "url": _text("The address of the feed or page."),
            "path": _text("A folder, relative to seeds/."),
            "kind": _choice(("feed", "page", "sitemap", "folder"), "feed (RSS, Atom, RDF, JSON Feed) by default."),
            **settings,
        },
        ("id",),
    )
    return {"title": "Sources", **_object({"defaults": _object(settings), "sources": _list(source)}, ("sources",))}


def _schedule() -> Schema:
    daily = _object(
        {
            "at": _words('Local times, as "07:00".'),
            "days": _text("mon-fri, or mon, wed; every day by default."),
            "every": _duration("Again and again after this time."),
            "time_zone": _text("As Europe/Vienna."),
        }
    )
    return {"oneOf": [_choice(("immediate",)), daily]}


def _receivers() -> Schema:
    email = _object({"to": _words("Addresses."), "together": _flag("One message for all.")}, ("to",))
    headers: Schema = {"type": "object", "additionalProperties": {"type": "string"}, "description": "May hold ${NAME}."}
    webhook = _object(
        {"url": _text("Address; may be ${NAME}."), "secret": _text("whsec_… as ${NAME}."), "headers": headers}, ("url",)
    )
    quiet = _object(
        {
            "from": _text('Local time, as "22:00".'),
            "to": _text('Local time, as "06:30"; on the next day where it is earlier.'),
            "time_zone": _text("As Europe/Vienna."),
            "then": _choice(("defer", "drop"), "What is raised then comes afterwards, or is only listed by title."),
            "pierce": _severity("This and above is sent all the same."),
        },
        ("from", "to"),
        "When this receiver is not disturbed.",
    )
    receiver = _object(
        {
            "email": email,
            "webhook": webhook,
            "apprise": _text("An Apprise address as ${NAME}."),
            "feed": _text("A file to write an Atom feed of alerts to."),
            "exec": {"type": "array", "items": _text()},
            "outbox": _text("A maildir to write messages to."),
            "schedule": _schedule(),
            "catch_up": _choice(
                ("one", "each", "skip"), "After downtime: one merged digest, each that was missed, none."
            ),
            "always": _flag("Also when there is nothing."),
            "group_wait": _duration("Gather what arrives together."),
            "repeat": _duration("Remind of what is open and not acknowledged so long."),
            "repeat_max": _number("At most so often.", 1),
            "on_unknown": _choice(("resend", "hold"), "Where the peer may have it."),
            "quiet_hours": quiet,
        }
    )
    route = _object(
        {
            "themes": _words("Only these themes."),
            "tags": _words("Only themes with one of these tags."),
            "at_least": _severity("Only this and above."),
            "to": _words("Receivers."),
            "stop": _flag("Ends the search."),
        },
        ("to",),
    )
    properties = {
        "operator": _words("Who hears of faults."),
        "receivers": {"type": "object", "propertyNames": {"pattern": _NAME}, "additionalProperties": receiver},
        "routes": _list(route, "Every route that fits gets it."),
    }
    return {"title": "Receivers", **_object(properties)}
