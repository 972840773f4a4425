# SPDX-License-Identifier: MIT
"""
Covering selections: few combinations in which each pair of values meets.
"""

import collections
import itertools


def pairs_of(row):
    """The pairs of (place, value) in a combination."""
    return set(itertools.combinations(enumerate(row), 2))


def pairwise(*values, allowed=lambda row: True, cost=lambda row: 0):
    """
    Rows of the product of @values such that each pair of values that some
    @allowed row has is in one of them; cheap rows (by @cost) first among
    those which cover as much, then those of values used less.  Greedy, always the same result.
    """
    rows = [row for row in itertools.product(*values) if allowed(row)]
    missing = set().union(*map(pairs_of, rows)) if rows else set()
    chosen = []
    uses = collections.Counter()
    while missing:
        best = max(rows, key=lambda row: (len(pairs_of(row) & missing),
                                          -cost(row),
                                          -sum(uses[v] for v in row)))
        chosen.append(best)
        uses.update(best)
        missing -= pairs_of(best)
    return chosen
