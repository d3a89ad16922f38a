"""`monitor check`: every fault of every file at its line and column; examples run; lint after."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import Workspace

FAULTY_THEME = """\
theme: ports
title: Ports
sevrity: high
concepts:
  port: [harbour, "quay*"]
rules:
  - {id: one, when: prot w/5 "crane"}
  - {id: two, when: port and and "crane"}
examples:
  match: [A crane fell.]
"""
EXAMPLES = """\
theme: ports
title: Ports
concepts:
  port: {terms: [harbour, "quay*"]}
rules:
  - {id: one, when: port w/5 "crane"}
examples:
  match:
    - A crane at the quays.
    - A crane stands still.
  no_match:
    - A harbour.
    - The harbour crane.
"""


def test_all_is_well(work: Workspace) -> None:
    work.write(
        "rules/themes/machines.yaml",
        EXAMPLES.replace("theme: ports", "theme: machines").partition("    - A crane stands")[0],
    )
    done = work.look("check")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == ["1 theme, 1 rule, 3 terms, 1 source; 1 of 1 example pass", "no faults"]


def test_every_fault_of_every_file_at_its_place(work: Workspace) -> None:
    work.write("rules/themes/ports.yaml", FAULTY_THEME)
    work.write("rules/receivers.yaml", "receivers: {desk: {outbox: state/x}}\nroutes: [{to: [dsk]}]\n")
    work.write("seeds/sources.yaml", "sources:\n  - id: a\n    url: ftp://a.example/\n  - {id: b, path: x, every: 5}\n")
    work.write("monitor.toml", 'time_zone = "Europe/Wien"\nlisten = "here"\n')
    done = work.look("check")
    assert done.code == 1
    found = [line for line in done.out.splitlines() if not line.startswith("    ") and not line.endswith("[lint]")]
    assert [line.partition(": ")[0] for line in found] == [
        "monitor.toml", "monitor.toml", "rules/receivers.yaml:2:16", "rules/themes/ports.yaml:3:1",
        "rules/themes/ports.yaml:7:21", "rules/themes/ports.yaml:8:30",
        "seeds/sources.yaml:3:10", "seeds/sources.yaml:4:29",
    ]  # fmt: skip
    assert "unknown concept 'prot'; did you mean 'port'?" in done.out
    assert "unknown key 'sevrity'" in done.out and "did you mean 'severity'?" in done.out
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("8 faults")


def test_a_caret_stands_under_the_fault(work: Workspace) -> None:
    work.write("rules/themes/ports.yaml", FAULTY_THEME)
    lines = work.look("check").out.splitlines()
    place = next(number for number, line in enumerate(lines) if "unknown concept 'prot'" in line)
    source, caret = lines[place + 1 : place + 3]
    assert source.strip() == '- {id: one, when: prot w/5 "crane"}'
    assert source[caret.index("^") :].startswith("prot")


def test_examples_that_fail_say_what_was_found_or_lacked(work: Workspace) -> None:
    work.write("rules/themes/ports.yaml", EXAMPLES)
    done = work.look("check")
    assert done.code == 1
    assert [line for line in done.out.splitlines() if line.startswith("rules/themes/ports")] == [
        "rules/themes/ports.yaml:10:7: example should match, but rule 'one' lacks port w/5 \"crane\"",
        'rules/themes/ports.yaml:13:7: example should not match, but rule \'one\' finds "harbour", "crane"',
    ]
    assert "2 of 4 examples pass" in done.err


def test_for_scripts(work: Workspace) -> None:
    work.write("rules/themes/ports.yaml", EXAMPLES)
    work.write("seeds/sources.yaml", "sources: [{id: often, url: 'https://x.example/', every: 5m}]\n")
    done = work.look("check", "--json")
    assert done.code == 1
    assert [row["kind"] for row in done.rows] == ["fault", "fault", "lint", "lint"]
    assert done.rows[0].keys() == {"kind", "path", "line", "column", "message"}
    assert (done.rows[0]["path"], done.rows[0]["line"], done.rows[0]["column"]) == ("rules/themes/ports.yaml", 10, 7)
    assert done.err == ""


NOBODY = "no 'operator' is named: faults, and alerts that no route takes, are told to state/outbox alone"
UNSIGNED = "receiver 'hook' has no secret: its peer cannot tell our messages from forged ones"
PRIVATE = "is a private or reserved address, and allow_networks in monitor.toml does not permit it"


def test_lint_is_no_fault_and_can_be_left_out(work: Workspace) -> None:
    work.write("seeds/sources.yaml", "sources: [{id: often, url: 'https://x.example/', every: 5m}]\n")
    work.receivers(
        {"idle": {"outbox": "state/idle"}, "hook": {"webhook": {"url": "https://h.example/"}}}, [{"to": ["hook"]}]
    )
    done = work.look("check")
    assert done.code == 0
    assert [line for line in done.out.splitlines() if not line.startswith("rules/themes")] == [
        f"rules/receivers.yaml: {NOBODY} [lint]",
        "rules/receivers.yaml: no route leads to receiver 'idle', so it gets nothing [lint]",
        f"rules/receivers.yaml: {UNSIGNED} [lint]",
        "seeds/sources.yaml: source 'often' is wanted every 5 min; many servers resent less than 30 min [lint]",
    ]
    assert work.look("check", "--no-lint").out == ""


def test_where_a_script_knows_neither_word_ends_nor_case_nothing_is_said_of_short_terms(work: Workspace) -> None:
    work.write("rules/watchlists/firms.txt", "长光卫星\nZala\n")
    work.write(
        "rules/themes/metals.yaml",
        "theme: metals\ntitle: Metals\nconcepts:\n  metal: {terms: [镓, 锗, Ga, ไท]}\n"
        "  firm: {list: watchlists/firms.txt}\nrules: [{id: one, when: metal and firm}]\n"
        "examples: {match: [镓 of Zala]}\n",
    )
    lines = [line for line in work.look("check").out.splitlines() if "metals" in line]
    assert [line.partition(": ")[2] for line in lines] == [
        "'Ga' is short and is found often; write \"=Ga\" for exactly this, or a longer form (concept 'metal') [lint]",
        "short names of watchlists/firms.txt are found in their exact case only: Zala [lint]",
    ]


def test_mail_without_a_server_is_lint(work: Workspace) -> None:
    work.receivers({"desk": {"email": {"to": ["a@example.org"]}}}, operator=["desk"])
    assert "smtp_url is not set" in work.look("check").out
    work.env["MONITOR_SMTP_URL"] = "smtp://127.0.0.1:25"
    assert "smtp_url" not in work.look("check").out


WRITTEN = """\
sources:
  - id: keyed
    url: https://keyed.example/feed?token=${A_TOKEN}
  - id: inside
    url: http://10.0.0.7/feed
  - id: here
    url: http://localhost:8000/feed
"""
HOOK = """\
receivers:
  duty:
    webhook:
      url: http://192.168.1.1/hook
      secret: ${A_SECRET}
routes: [{to: [duty]}]
"""


def test_missing_variables_and_private_addresses_without_permission_are_faults(work: Workspace) -> None:
    work.write("seeds/sources.yaml", WRITTEN)
    work.write("rules/receivers.yaml", HOOK)
    work.env["MONITOR_ALLOW_NETWORKS"] = "127.0.0.0/8:8001"
    done = work.look("check", "--no-lint", "--json")
    assert done.code == 1
    assert [f"{row['path']}:{row['line']}:{row['column']}: {row['message']}" for row in done.rows] == [
        f"rules/receivers.yaml:4:12: 192.168.1.1 {PRIVATE}",
        "rules/receivers.yaml:5:15: variable A_SECRET is not set; set it in the environment, or A_SECRET_FILE",
        "seeds/sources.yaml:3:10: variable A_TOKEN is not set; set it in the environment, or A_TOKEN_FILE",
        f"seeds/sources.yaml:5:10: 10.0.0.7 {PRIVATE}",
        "seeds/sources.yaml:7:10: localhost is this machine, and allow_networks in monitor.toml does not permit it",
    ]
    secret = work.write("secret", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    permitted = "127.0.0.0/8:8000, 10.0.0.0/8, 192.168.1.1/32"
    work.env |= {"A_TOKEN": "tok3n", "A_SECRET_FILE": str(secret), "MONITOR_ALLOW_NETWORKS": permitted}
    done = work.look("check")
    assert done.code == 0
    assert "tok3n" not in done.out + done.err


def test_with_a_proxy_it_is_the_proxy_that_judges_addresses(work: Workspace) -> None:
    work.write("seeds/sources.yaml", "sources: [{id: inside, url: 'http://10.0.0.7/feed'}]\n")
    assert work.look("check").code == 1
    work.env["MONITOR_PROXY"] = "http://proxy.example:3128"
    assert work.look("check").code == 0


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("MONITOR_ALLOW_NETWORKS", "everything", "'everything' is neither CIDR nor CIDR:port"),
        ("MONITOR_SMTP_URL", "smtp://me:hunter2@mail.example/?tls=yes", "unknown option 'tls'"),
        ("MONITOR_TIME_ZONE", "Vienna", "is not a time zone"),
    ],
)
def test_settings_are_checked_as_the_daemon_does_and_no_secret_is_shown(
    work: Workspace, key: str, value: str, message: str
) -> None:
    work.env[key] = value
    done = work.look("check")
    assert done.code == 1
    assert message in done.out
    assert "hunter2" not in done.out + done.err


def test_a_secret_written_out_is_a_fault_that_is_not_shown(work: Workspace) -> None:
    line = "  - {id: A B, url: 'https://x.example/?token=hunter2${A_TOKEN}', every: 1}"
    work.write("seeds/sources.yaml", f"sources:\n{line}\n")
    done = work.look("check")
    assert done.code == 1
    assert done.err.startswith("1 theme")
    assert "4 faults" in done.err
    assert "hunter2" not in done.out


def test_files_that_cannot_be_read_are_faults(work: Workspace) -> None:
    work.write("seeds/sources.yaml", b"sources: [{id: caf\xe9}]\n")
    work.write("rules/themes/x.yaml", b"theme: \xff\n")
    done = work.look("check", "--json")
    assert done.code == 1
    assert {row["path"] for row in done.rows if row["kind"] == "fault"} == {"seeds/sources.yaml", "rules/themes/x.yaml"}


def test_where_there_is_no_working_directory(work: Workspace) -> None:
    done = work.look("check", "--home", str(work.home / "nowhere"))
    assert done.code == 78
    assert "monitor init" in done.err
