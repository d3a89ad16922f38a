"""The walls of the house, and the manners that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "monitor").rglob("*.py"))
MOST_LINES = 500
LONG = {"monitor/core/views.py": 850, "monitor/core/events.py": 600}  # one fold, one event after the other
SELF_EVIDENT = 20  # lines; what is longer needs words

FOREIGN = (
    r"/(?:work|root)/|/home/\w+/(?!\$)|/Users/\w",  # somebody's machine
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|proxy\.golang",  # a registry's host
    r"file:///(?!etc/passwd)\w",
    r"\b(TODO|FIXME|XXX|HACK)\b",
    r"(?i)\b(claude|anthropic|chatgpt|copilot|openai)\b",
)


def _tracked() -> list[Path]:
    """Every file that git keeps."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_imports_go_downwards_only() -> None:
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, verbose=False) == 0


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    found = []
    for path in _tracked():
        if path == Path(__file__) or path.suffix in (".pdf", ".png", ".gz"):
            continue
        text = path.read_text("utf-8", errors="replace")
        for pattern in FOREIGN:
            found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in re.finditer(pattern, text)]
    assert found == []


def test_no_large_or_binary_thing_is_tracked() -> None:
    assert [path.name for path in _tracked() if path.stat().st_size > 1_000_000] == []


def test_a_file_is_one_subject() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > LONG.get(name, MOST_LINES)} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_lives_there_and_its_public_things_say_what_they_are(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "no first line that says what lives here"
    if "migrations" in path.parts:
        return  # alembic's own two functions
    unsaid = [node.name for node in tree.body if _is_public(node) and not ast.get_docstring(node)]
    assert unsaid == []


def _is_public(node: ast.stmt) -> TypeGuard[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Whether others use it, and it is more than its signature says."""
    named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return named and not node.name.startswith("_") and (node.end_lineno or 0) - node.lineno > SELF_EVIDENT


@pytest.mark.parametrize("folder", ["core", "matching"])
def test_pure_packages_touch_no_file_clock_or_environment(folder: str) -> None:
    called = set()
    for path in (ROOT / "monitor" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called.add(node.func.id)
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {name.split(".")[0] for name in names} & {"os", "io", "threading", "subprocess", "tempfile"}
    assert not called & {"open", "print", "input", "exec", "eval", "breakpoint"}


def test_no_code_is_left_commented_out() -> None:
    looks_like_code = re.compile(
        r"#\s*(?:return\b|import \w|from \w+ import|\w+ = \w+\(|if .*:$|for .* in .*:$|print\()"
    )
    found = []
    for path in MODULES:
        with path.open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        found += [
            f"{path.name}:{token.start[0]}: {token.string}" for token in comments if looks_like_code.match(token.string)
        ]
    assert found == []


def test_tests_do_not_sleep() -> None:
    """A condition is awaited with a deadline. What may wait: a loop that looks for its condition or plays a slow
    server, what hands its turn to others or hangs for good, and what measures for a while.
    """
    measuring = ("tests/benchmarks/", "tests/acceptance/harness.py")
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if not name.startswith(measuring):
            found += [f"{name}:{line}" for line in _fixed_sleeps(ast.parse(path.read_text()))]
    assert found == []


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        ("time.sleep(0.1)", True),
        ("async def wait():\n    await asyncio.sleep(0.02)", True),
        ("async def wait():\n    await sleep(seconds)", True),
        ("for _ in range(3):\n    time.sleep(1)", True),
        ("while not there():\n    time.sleep(0.05)", False),
        ("async def play():\n    await asyncio.sleep(0)\n    await asyncio.sleep(3600)", False),
    ],
)
def test_a_fixed_sleep_is_known_by_what_stands_around_it(code: str, fixed: bool) -> None:
    assert bool(list(_fixed_sleeps(ast.parse(code)))) == fixed


def _fixed_sleeps(tree: ast.AST, *, looking: bool = False) -> Iterator[int]:
    """The lines that sleep for a given time, and not in a `while`."""
    if isinstance(tree, ast.Call) and ast.unparse(tree.func).rpartition(".")[2] == "sleep":
        how_long = tree.args[0] if tree.args else None
        turn_or_for_good = isinstance(how_long, ast.Constant) and how_long.value in (0, 3600)
        if not looking and not turn_or_for_good:
            yield tree.lineno
    for node in ast.iter_child_nodes(tree):
        yield from _fixed_sleeps(node, looking=looking or isinstance(tree, ast.While))
