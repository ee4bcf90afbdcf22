"""Statistics that facts are made of: pure functions of arrays, each value from its own past alone.

Panels have shape (bars, symbols) and hold NaN where nothing is known; levels are ranks with -1 for unknown. A cut in
here defines a word (what HIGH means among past values); what to do about it is the rules' affair.
"""
