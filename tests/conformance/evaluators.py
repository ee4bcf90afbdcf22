"""The evaluators that every conformance case and every generated program is put to.

They are the ones that commands offer by name: a new back end is one line in `evaluators.back_ends`, and is held to the
whole language from then on. The interpreter is the reference, and all others must equal it bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.back_ends import BACK_ENDS, BackEnd

EVALUATORS: Mapping[str, BackEnd] = BACK_ENDS

REFERENCE = BACK_ENDS["interpreter"]
COMPILED = tuple(name for name in BACK_ENDS if name != "interpreter")

FOLLOWING = ("interpreter", "python")
"""Those that are told one snapshot after the other; DuckDB reads tables that are in order."""
