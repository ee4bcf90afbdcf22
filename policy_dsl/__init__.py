"""The rule language: grammar, syntax tree, types and units, checker, typed program, formatter, bundles."""
