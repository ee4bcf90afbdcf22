"""A bundle: a directory of rule files and `ringfence.toml`, checked together and named by its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from policy_dsl.cases import Case, Invariant
from policy_dsl.catalogue import Catalogue
from policy_dsl.checker import check
from policy_dsl.configuration import Configuration, read_configuration
from policy_dsl.diagnostics import Diagnostic, Findings, PolicyError, Source
from policy_dsl.files import CONFIGURATION_FILE, decoded, read_files
from policy_dsl.parser import parse, without_gc
from policy_dsl.program import Program
from policy_dsl.syntax import File

LANGUAGE_VERSION = "1.0"
"""Part of every bundle's hash: the same text may mean something else in another version of the language."""


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """What a rule file says of itself."""

    name: str
    version: str
    doc: str
    path: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle, ready to run. `diagnostics` holds its warnings and notes.

    `program` is what runs here, under the configuration. `written` is what the files say: default params, every policy
    enforced; tests and invariants judge that one.
    """

    program: Program
    written: Program
    policies: tuple[PolicyInfo, ...]
    cases: tuple[Case, ...]
    invariants: tuple[Invariant, ...]
    configuration: Configuration
    sources: Mapping[str, Source]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def hash(self) -> str:
        """SHA-256 over the files, the configuration, the catalogue and the language version."""
        return self.program.hash


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of a bundle found. `bundle` is None if anything is an error."""

    bundle: Bundle | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, Source]
    files: tuple[File, ...]


def bundle_hash(texts: Mapping[str, bytes], catalogue: Catalogue) -> str:
    """The name of a bundle's content. Order of files does not matter, nor where the directory is."""
    digests = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in texts.items())
    whole = json.dumps([LANGUAGE_VERSION, catalogue.hash, digests])
    return hashlib.sha256(whole.encode()).hexdigest()


def check_files(
    contents: Mapping[str, bytes], catalogue: Catalogue, *, prefix: str = "", today: int | None = None
) -> Report:
    """Check a bundle given as file contents. `prefix` stands before file names in diagnostics."""
    with without_gc():
        return _checked(contents, catalogue, prefix, today)


def _checked(contents: Mapping[str, bytes], catalogue: Catalogue, prefix: str, today: int | None) -> Report:
    findings = Findings()
    sources: dict[str, Source] = {}
    files: list[File] = []
    configuration = Configuration()
    for name in sorted(contents):
        source = decoded(prefix + name, contents[name], findings)
        sources[source.path] = source
        if name == CONFIGURATION_FILE:
            configuration = read_configuration(source, findings)
        elif not any(d.code == "RF108" and d.span and d.span.path == source.path for d in findings.items):
            files.append(parse(source, findings))
    name = bundle_hash(contents, catalogue)
    checked = check(files, sources, catalogue, configuration, findings, bundle_hash=name, today=today)
    written = checked
    if configuration.modes or configuration.params:
        written = check(files, sources, catalogue, Configuration(), findings, bundle_hash=name, today=today)
    diagnostics = findings.sorted()
    bundle = None
    if checked.program is not None and written.program is not None and not any(d.is_error for d in diagnostics):
        bundle = Bundle(
            checked.program,
            written.program,
            tuple(_infos(files)),
            written.cases,
            written.invariants,
            configuration,
            sources,
            diagnostics,
        )
    return Report(bundle, diagnostics, sources, tuple(files))


def _infos(files: Iterable[File]) -> Iterable[PolicyInfo]:
    for file in files:
        if file.policy is not None:
            yield PolicyInfo(file.policy.name.text, file.policy.version, file.policy.doc or "", file.path)


def load_text(texts: Mapping[str, str], catalogue: Catalogue) -> Bundle:
    """The bundle made of rule texts by file name. Raises PolicyError with every error."""
    return _loaded(check_files({n: t.encode() for n, t in texts.items()}, catalogue))


def load(path: Path, catalogue: Catalogue) -> Bundle:
    """The bundle in a directory, or of one rule file. Raises PolicyError with every error."""
    prefix = "" if path.is_file() else f"{path}/"
    return _loaded(check_files(read_files(path), catalogue, prefix=prefix))


def _loaded(report: Report) -> Bundle:
    if report.bundle is None:
        raise PolicyError((d for d in report.diagnostics if d.is_error), report.sources)
    return report.bundle
