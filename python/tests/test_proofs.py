"""docs/targets.md says what the tests say, and only marks of tests that exist are on it."""

from __future__ import annotations

import proofs


def test_the_page_of_targets_is_made_of_the_tests():
    """It is made anew whenever a mark changes."""
    page = (proofs.ROOT / "docs" / "targets.md").read_text()
    assert page == proofs.page(), "run: python3 python/proofs.py > docs/targets.md"
