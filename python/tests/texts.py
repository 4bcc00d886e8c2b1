"""Reviews as people write them: praise and blame among other words, in several scripts; the same on every machine."""

from __future__ import annotations

import numpy as np

GOOD = ["great", "good", "excellent", "loved", "wonderful", "best", "café", "naïve", "happy", "superb"]
BAD = ["bad", "awful", "terrible", "hated", "worst", "boring", "poor", "sad", "waste", "dull"]
OTHER = [
    *("the", "a", "of", "movie", "film", "it", "was", "is", "and", "Straße"),
    *("plot", "actor", "ΣΑΣ", "東京", "don't", "e-mail", "42", "scene_1", "Å", "हिन्दी"),
]
#: Whole texts at which ways to take them apart come apart.
AWKWARD = [
    "",
    " ",
    "a",
    "good GOOD Good good, good! bad",
    "nobody knows any of these",
    "İSTANBUL ΟΔΟΣ ΣΑΣ Straße STRASSE ΣΑΣ.",
    "CAFÉ cafe\u0301 café Å A\u030a \ufb01lm ½ ² \u2460",
    "हिन्दी ภาษาไทย العربية עברית 한국어 日本語 東京",
    "good\tbad\nfilm\r\nplot\x1cactor\x1fnext\x85scene_1\u202fit\u200bwas\xa0 is  of",
    "snake_case scene_1 kebab-case e-mail 3.14 1,000 user@example.com",
    "👍🏽 good \U0001fae0 👨\u200d👩\u200d👧 bad",
    "good " * 300,
]


def reviews(rows: int = 300, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts, and 1 for those of praise."""
    random = np.random.RandomState(seed)
    praise = random.randint(0, 2, rows)
    found = []
    for one in praise:
        words = [*random.choice(GOOD if one else BAD, 3), *random.choice(OTHER, 6), *random.choice(GOOD + BAD, 1)]
        random.shuffle(words)
        text = " ".join(words)
        found.append(text.upper() if random.uniform() < 0.2 else text)
    return found, praise
