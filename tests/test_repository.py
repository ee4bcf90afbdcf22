"""The repository itself: what is locked, what is shipped, and the habits that no tool checks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("policy_dsl", "evaluators", "modules", "api")
LOCKS = ("requirements.lock", "requirements-dev.lock")
FOLDERS = {*PACKAGES, "rules", "tests", "benchmarks", "deploy", "docs", "editors", ".ci"}
FILES = {
    ".editorconfig",
    ".gitignore",
    ".importlinter",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
    *LOCKS,
}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "data"}
LONGEST_FUNCTION = 60
LONGEST_DECISION = 40

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")
SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma\b|ruff:|mypy:|pyright:)")
REASON = re.compile(r"(because|--)\s+\w")
REGISTRY = re.compile(r"py" + r"pi\.org|pythonhosted\.org|npm" + r"js\.")
JUDGES = re.compile(r"(assert|check|expect|fail|given|raises|refuse|validate|warns)")


def tracked() -> list[Path]:
    """Every file of the checkout that is not ignored, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("reads the list of files from git, and this is no git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(Path(line) for line in listing.stdout.splitlines() if (ROOT / line).is_file())


def python_files(*folders: str) -> list[Path]:
    """The Python files under `folders`, relative to the root."""
    return sorted(p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line of a text file with its place as `path:number`; nothing for a file that is not text."""
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        yield f"{path}:{number}", line


def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: str) -> dict[str, str]:
    """Name and version of everything in a lock."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def name_of(requirement: str) -> str:
    """The normalised name in a requirement such as `duckdb>=2,<3`."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return re.sub(r"[._-]+", "-", match[0]).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_hashes_everything(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|file:|index-url|find-links|trusted-host| @ ", text)
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(lock))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_no_file_names_a_registry() -> None:
    assert [place for path in tracked() for place, line in lines(path) if REGISTRY.search(line)] == []


def test_the_locks_hold_every_declared_dependency() -> None:
    declared = project()
    needed = {name_of(r) for r in declared["project"]["dependencies"] + declared["build-system"]["requires"]}
    extras = declared["project"]["optional-dependencies"]
    checks = {name_of(r) for listed in extras.values() for r in listed} - {declared["project"]["name"]}
    assert needed - pins("requirements.lock").keys() == set()
    assert checks - pins("requirements-dev.lock").keys() == set()


def test_the_locks_agree() -> None:
    assert pins("requirements.lock").items() - pins("requirements-dev.lock").items() == set()


def test_every_ignored_check_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:ignore|\"[^\"]+\") = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    entries = [line for body in lists for line in body.splitlines()]
    assert entries
    assert [line for line in entries if not re.search(r"# \w+", line)] == []


def test_only_known_names_at_the_top() -> None:
    tops = {path.parts[0] for path in tracked()}
    assert tops - FOLDERS - FILES == set()


def test_no_vague_names() -> None:
    assert [p for p in tracked() if {part.removesuffix(".py") for part in p.parts} & VAGUE_NAMES] == []


def test_nothing_is_left_unfinished() -> None:
    assert [place for path in tracked() for place, line in lines(path) if UNFINISHED.search(line)] == []


def test_every_suppression_gives_its_reason() -> None:
    sources = [path for path in tracked() if path.suffix in {".py", ".pyi"}]
    found = [(place, line) for path in sources for place, line in lines(path)]
    assert [place for place, line in found if SUPPRESSION.search(line) and not REASON.search(line)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is(package: str) -> None:
    folders = {path.parent for path in python_files(package)}
    assert Path(package) in folders
    for folder in sorted(folders):
        init = ROOT / folder / "__init__.py"
        assert init.exists(), folder
        assert ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))), folder


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function in a file."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_fit_a_screen() -> None:
    long = [
        f"{path}:{function.lineno} {function.name}"
        for path in python_files(*PACKAGES)
        for function in functions(path)
        if (function.end_lineno or function.lineno) - function.lineno >= LONGEST_FUNCTION
    ]
    assert long == []


def judges(function: ast.AST) -> bool:
    """Whether a test can fail by its own judgement: an assertion, or a call whose name says that it judges."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if JUDGES.match(called):
                return True
    return False


def test_every_test_judges_something() -> None:
    idle = [
        f"{path}:{function.lineno} {function.name}"
        for path in python_files("tests")
        for function in functions(path)
        if function.name.startswith("test_") and not judges(function)
    ]
    assert idle == []


GENERATORS = {"default_rng", "Random", "RandomState", "SeedSequence", "PCG64"}
DRAWS = re.compile(r"(np\.|numpy\.)?random\.[a-z]\w*|secrets\.\w+|(uuid\.)?uuid[14]|os\.urandom")


MAY_DRAW = re.compile(r"andom|_rng|SeedSequence|PCG64|secrets|uuid")


def unseeded(source: str) -> Iterator[str]:
    """Each place that draws from a generator that was given no seed, or from the one that all share."""
    if not MAY_DRAW.search(source):
        return
    tree = ast.parse(source)
    shared = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            continue
        called = ast.unparse(node.func)
        is_made = called.rsplit(".", 1)[-1] in GENERATORS
        if is_made and not node.args and not node.keywords:
            yield f"{node.lineno} {called}()"
        # A test of a property is handed a generator, often by the name of the module that it does not import.
        elif not is_made and DRAWS.fullmatch(called) and (called.count(".") != 1 or called.split(".")[0] in shared):
            yield f"{node.lineno} {called}"


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("rng = np.random.default_rng()", True),
        ("rng = np.random.default_rng(7)", False),
        ("rng = random.Random()", True),
        ("rng = random.Random(seed)", False),
        ("np.random.normal(0, 1)", True),
        ("random.shuffle(keys)", True),
        ("name = uuid4()", True),
        ("rng.normal(0, 1)", False),
    ],
)
def test_a_draw_without_a_seed_is_seen(line: str, is_found: bool) -> None:
    assert bool(list(unseeded(f"import random\n{line}"))) is is_found


def test_nothing_is_drawn_without_a_seed() -> None:
    """Neither by the product nor by a test of it: what failed once fails again."""
    found = [
        f"{path}:{place}"
        for path in python_files(*PACKAGES, "tests", "benchmarks")
        for place in unseeded((ROOT / path).read_text(encoding="utf-8"))
    ]
    assert found == []


SETTING = re.compile(r"RINGFENCE_[A-Z_]+")


def test_every_setting_that_a_page_names_is_read() -> None:
    pages = [path for path in tracked() if path.suffix == ".md" and path.name != "CHANGELOG.md"]
    named = {name: place for path in pages for place, line in lines(path) for name in SETTING.findall(line)}
    read = {
        name
        for path in python_files(*PACKAGES)
        for _, line in lines(path)
        for name in re.findall(r'"(RINGFENCE_\w+)"', line)
    }
    assert "RINGFENCE_LIVE" in named
    assert {name: place for name, place in named.items() if name not in read} == {}


def decisions() -> list[Path]:
    """The decision records, in order."""
    return sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_decisions_are_numbered_once() -> None:
    names = [path.name for path in decisions()]
    assert names
    assert [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)] == []
    assert len({name[:4] for name in names}) == len(names)


@pytest.mark.parametrize("path", decisions(), ids=lambda path: path.stem)
def test_a_decision_is_short_and_complete(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < LONGEST_DECISION
    assert [word for word in ("context", "decision", "consequences", "rejected") if word not in text.lower()] == []


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert sections[0] == "[Unreleased]"
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_ci_runs_the_checks_and_then_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for _, line in lines(script.relative_to(ROOT)) if line and not line.startswith("#")]
    assert os.access(script, os.X_OK)
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make check", "make test"]


def test_the_wheel_ships_the_packages_their_files_and_the_rules(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("ringfence-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {Path(name) for name in archive.namelist() if ".dist-info/" not in name}
        [entry_points] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "ringfence = api.cli:main" in archive.read(entry_points).decode()
    assert shipped == {path for path in tracked() if path.parts[0] in {*PACKAGES, "rules"}}
