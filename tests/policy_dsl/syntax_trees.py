"""Syntax trees that a rule file can be read into: every form, hostile names among them, meaning left aside."""

from __future__ import annotations

from hypothesis import strategies as st

from policy_dsl import syntax as s
from policy_dsl import syntax_expressions as x
from policy_dsl import syntax_steps as t

PATH = "generated.rules"

# Words of the language that may also be names, because of where they stand.
_WORDS = (
    *(
        "to",
        "by",
        "for",
        "until",
        "when",
        "unless",
        "because",
        "rule",
        "policy",
        "each",
        "as",
        "from",
        "deny",
        "starts",
    ),
    *("up", "and", "or", "is", "in", "of", "where", "over", "x5", "limit", "position", "account", "u", "a0"),
)
_NEVER_HEADS = frozenset(
    {
        *("yes", "no", "not", "known", "unknown", "missing", "min", "max", "abs", "previous"),
        *("count", "sum", "highest", "lowest", "average", "change", "any", "all", "latest"),
    }
)

idents = st.sampled_from(_WORDS) | st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
heads = idents.filter(lambda word: word not in _NEVER_HEADS)
upper = st.sampled_from(["HIGH", "LOW", "A", "R", "USD", "B_2"]) | st.from_regex(r"[A-Z][A-Z0-9_]{0,5}", fullmatch=True)
SEEN = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp"))
"""Characters that a reader sees: no text or comment may hold any of the others, but for some of them."""
_characters = SEEN | st.sampled_from("\n\t")
texts = st.builds(
    x.Text, st.text(_characters, max_size=12) | st.sampled_from(['a "quoted" \\ word', "{x}", "# no comment", "|"])
)
levels = st.builds(x.Level, upper)
names = st.builds(x.Ident, idents)
upper_names = st.builds(x.Ident, upper)
quantities = st.builds(
    x.Quantity,
    st.sampled_from(
        ["5", "0.65", "5_000 USD", "5USD", "3%", "25bps", "1.5R", "20x", "90s", "10/min", "3/h", "1_", "7wat"]
    )
    | st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?(%|bps|R|x|ms|m|h|d|/s|/d)?", fullmatch=True),
)
dates = st.builds(
    x.Quantity, st.sampled_from(["2026-12-31", "2026-01-01T10:00Z", "2026-01-01T10:00:30Z", "0000-99-99"])
)
flags = st.builds(x.Flag, st.booleans())

_fields = st.builds(x.Field, idents)
paths = st.recursive(
    st.builds(x.Path, heads, st.lists(_fields, max_size=2).map(tuple)),
    lambda inner: st.builds(
        x.Path, heads, st.lists(_fields | st.builds(x.Index, texts | inner), max_size=3).map(tuple)
    ),
    max_leaves=3,
)
constants = quantities | dates | levels | texts | flags | paths | st.builds(x.Unary, quantities | dates)
values = constants | st.builds(t.Missing)


def _compound(inner: st.SearchStrategy[x.Expr]) -> st.SearchStrategy[x.Expr]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    variable = st.none() | names
    maybe = st.none() | inner
    operators = st.sampled_from(["+", "-", "*", "/", "of", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(x.Unary, inner),
        st.builds(x.Binary, operators, inner, inner),
        st.builds(x.Is, inner, inner, st.booleans()),
        st.builds(x.IsKnown, inner, st.booleans()),
        st.builds(x.In, inner, st.lists(constants, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(x.Has, inner, levels, st.booleans()),
        st.builds(x.And, several),
        st.builds(x.Or, several),
        st.builds(x.Not, inner),
        st.builds(x.Timed, st.sampled_from(["throughout", "within"]), inner, inner),
        st.builds(
            x.Call,
            st.sampled_from(["min", "max", "abs", "previous"]),
            st.lists(inner, min_size=1, max_size=3).map(tuple),
        ),
        st.builds(x.Fold, st.sampled_from(["count", "sum", "any", "latest", "change"]), inner, variable, maybe, maybe),
    )


def expressions_of(leaves: st.SearchStrategy[x.Expr], size: int = 8) -> st.SearchStrategy[x.Expr]:
    """Expressions of every form, over the leaves given."""
    return st.recursive(leaves, _compound, max_leaves=size)


expressions = expressions_of(quantities | dates | levels | texts | flags | paths)

_types = st.one_of(
    st.builds(s.NamedType, st.sampled_from(["ratio", "money", "R", "flag", "tier"])),
    st.builds(s.LevelsType, st.lists(upper_names, min_size=2, max_size=20).map(tuple)),
    st.builds(s.SetType, st.lists(upper_names, min_size=1, max_size=20).map(tuple)),
)
_ranges = st.builds(s.Range, constants, constants)
_scopes = st.none() | st.builds(s.ForEach, names, st.none() | names, st.booleans())
_maybe_expression = st.none() | expressions

_params = st.builds(s.ParamDecl, names, st.none() | _types, constants, st.none() | _ranges)
_levels = st.builds(s.LevelsDecl, names, st.lists(upper_names, min_size=2, max_size=20).map(tuple))
_outputs = st.builds(
    s.OutputDecl,
    names,
    _scopes,
    _types,
    st.none() | _ranges,
    st.none() | constants,
    st.none() | st.sampled_from(["up", "down"]),
    st.none() | constants,
    _maybe_expression,
)


def _held(how: str, target: x.Path, value: x.Expr, hold: x.Expr | None, until: x.Expr | None) -> s.TightenEffect:
    """Only a bound is kept, and either for a time or until one."""
    if how != "to":
        return s.TightenEffect(target, how, value)
    return s.TightenEffect(target, how, value, hold, until if hold is None else None)


_effects = st.one_of(
    st.builds(_held, st.sampled_from(["to", "by", "scale"]), paths, expressions, _maybe_expression, _maybe_expression),
    st.builds(s.DenyEffect),
    st.builds(s.ItemEffect, st.just("forbid"), levels, st.just(()), st.none() | paths),
    st.builds(s.ItemEffect, st.just("permit"), levels, st.lists(expressions, max_size=2).map(tuple), st.none() | paths),
    st.builds(s.AlertEffect, levels),
)
_rules = st.builds(
    s.RuleDecl,
    names,
    st.booleans(),
    _scopes,
    _maybe_expression,
    _maybe_expression,
    st.none() | st.builds(s.Excuse, dates, expressions, texts),
    st.lists(_effects, min_size=1, max_size=4).map(tuple),
    st.none() | texts,
)

_cells = st.builds(
    t.Cell,
    st.sampled_from(["", "3%", "missing", 'position["p|1"].x', '"#1"', "a b  c", "risk_mode"])
    | st.text(SEEN.filter(lambda c: c not in '|#"'), max_size=6).map(str.strip),
)
_rows = st.lists(_cells, max_size=3).map(tuple)
_runs = st.lists(st.builds(t.Run, values, st.integers(0, 99)), min_size=1, max_size=9).map(tuple)
# After `every 1m` these begin the next step or declaration, so that no series is of what they name.
_AFTER_CADENCE = frozenset(
    {
        *("given", "expect", "at", "every", "series"),
        *("policy", "param", "levels", "output", "rule", "test", "always"),
    }
)
_steps = st.one_of(
    st.builds(t.Given, st.lists(st.builds(t.Assign, paths, values), min_size=1, max_size=4).map(tuple)),
    st.builds(t.Expect, expressions),
    st.builds(t.At, quantities),
    st.builds(t.Every, quantities),
    st.builds(t.Series, paths, _runs),
    st.builds(t.Series, paths.filter(lambda path: path.head not in _AFTER_CADENCE), _runs, quantities),
    st.builds(t.Table, _rows, st.lists(_rows, max_size=3).map(tuple)),
)
_tests = st.builds(s.TestDecl, texts, st.lists(_steps, min_size=1, max_size=5).map(tuple))
_always = st.builds(s.AlwaysDecl, texts, _scopes, _maybe_expression, expressions)

policies = st.builds(
    s.Policy,
    names,
    st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True),
    st.none() | st.text(_characters, max_size=20),
)
files = st.builds(
    s.File,
    st.just(PATH),
    policies,
    st.lists(_params | _levels | _outputs | _rules | _tests | _always, max_size=4).map(tuple),
)
