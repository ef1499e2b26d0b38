# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two names are one maker's: the IEEE registry has most makers under several spellings.

Small on purpose: the judge compares makers, and has no need of what is known of them
(`classification.makers`).
"""

import re

# What a name ends with that says what sort of company it is, and nothing else; 'B.V.' counts as 'bv'.
LEGAL_FORMS = frozenset(
    (
        "ab", "ag", "as", "asa", "bhd", "bv", "co", "company", "corp", "corporate", "corporation", "cv",
        "doo", "gesmbh", "gmbh", "inc", "incorporated", "kft", "kg", "kgaa", "kk", "limited", "llc", "llp",
        "lp", "ltd", "ltda", "mbh", "nv", "oy", "oyj", "plc", "private", "pte", "pty", "pvt", "sa", "sarl",
        "sas", "sau", "sdn", "se", "sl", "sp", "spa", "srl", "sro", "und", "zoo",
    )
)  # fmt: skip


def words_of(name: str) -> list[str]:
    """The words of `name` in small letters, without punctuation; letters that stand alone are one word."""
    words: list[str] = []
    alone = False
    for word in re.findall(r"[^\W_]+", name.lower().replace("'", "")):
        if alone and len(word) == 1:
            words[-1] += word
        else:
            words.append(word)
        alone = len(word) == 1
    return words


def organisation(maker: str) -> str:
    """A key that is the same for all spellings of one maker: 'ACME Co., Ltd.' and 'Acme Company Limited' are
    both 'acme'. '' for ''."""
    words = words_of(maker)
    while len(words) > 1 and words[-1] in LEGAL_FORMS:
        words.pop()
    return " ".join(words)
