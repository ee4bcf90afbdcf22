"""Checking rule files: a large bundle cold, against the parse alone; the command warm, against the command cold."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lark import Lark

from modules.facts import default_catalogue
from policy_dsl.bundle import check_files
from policy_dsl.diagnostics import Findings, Source
from policy_dsl.parser import parse

ROOT = Path(__file__).resolve().parent.parent
RULES = 10_000


def bundle(count: int) -> str:
    """A policy of `count` rules, each with a level, a figure, a bound and a reason."""
    head = "policy large version 1.0.0\noutput mode: SAFE < NORMAL starts NORMAL\n"
    rule = (
        "rule r{i}\n  when account.drawdown > {pct}% and market.volatility in {{HIGH, EXTREME}}\n"
        '  tighten mode to SAFE\n  because "drawdown {{account.drawdown}} is over {pct}%"\n'
    )
    return head + "".join(rule.format(i=i, pct=i % 90 + 1) for i in range(count))


def best(run: Callable[[], object], times: int = 3) -> float:
    """The quickest of several runs, in seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def plain_tree(text: str) -> Callable[[], object]:
    """Baseline: Lark's own parse tree of the same text, without any transformation."""
    grammar = (ROOT / "policy_dsl" / "grammar.lark").read_text()
    lark = Lark(grammar, parser="lalr", start="start", maybe_placeholders=True)
    return lambda: lark.parse(text)


def command(cache: str) -> None:
    """Run `ringfence check rules` in a new process."""
    executable = Path(sys.executable).with_name("ringfence")
    environment = {**os.environ, "RINGFENCE_CACHE": cache}
    done = subprocess.run([executable, "check", "rules"], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def main() -> None:
    """Print the table."""
    text, catalogue = bundle(RULES), default_catalogue()
    checked = check_files({"large.rules": text.encode()}, catalogue)
    assert checked.bundle is not None
    tree = best(plain_tree(text))
    parsed = best(lambda: parse(Source("large.rules", text), Findings()))
    whole = best(lambda: check_files({"large.rules": text.encode()}, catalogue))
    print(f"{RULES} rules, cold (baseline: Lark's bare parse tree, {tree:.2f} s)")
    print(f"  parse to syntax tree   {parsed:6.2f} s  {parsed / tree:5.2f} x")
    print(f"  parse and check        {whole:6.2f} s  {whole / tree:5.2f} x")
    with tempfile.TemporaryDirectory() as cache:
        cold = best(lambda: command("off"))
        command(cache)
        warm = best(lambda: command(cache))
    print(f"`ringfence check rules` (baseline: without the cache, {cold:.2f} s)")
    print(f"  warm                   {warm:6.2f} s  {warm / cold:5.2f} x")


if __name__ == "__main__":
    main()
