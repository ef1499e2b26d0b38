# SPDX-License-Identifier: GPL-2.0-or-later
"""The generated parts of docs/classification.md: between `<!-- generated: X -->` and `<!-- end -->`."""

from collections import Counter
from collections.abc import Mapping, Sequence

from smartrouter.core.classification.clues import MEANINGS
from training.examples import Example, features
from training.regression import Fit
from training.validation import Thresholds, Told, confusion

_END = "<!-- end -->"
_WORDS = ("iot", "unknown", "not-iot")
_LABELS = {"iot": "IoT devices", "not-iot": "people's devices", "either": "either, or a matter of taste"}
_BINS = ((0.0, 0.05), (0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.01))


def fill(text: str, parts: Mapping[str, str]) -> str:
    """The page with its generated parts put in anew."""
    for name, part in parts.items():
        begin = f"<!-- generated: {name} -->\n"
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(_END)
        text = before + begin + part + end + after
    return text


def parts(
    fit: Fit, lines: Thresholds, examples: Sequence[Example], told: Sequence[Told], held_out: Sequence[Told]
) -> dict[str, str]:
    """Each part's name and text."""
    real = [t for t in told if t.example.file == "clients.jsonl"]
    traffic = [t for t in told if t.example.file == "traffic.jsonl"]
    return {
        "weights": _weights(fit, examples),
        "thresholds": _thresholds(lines),
        "data": _data(examples, held_out),
        "real": _confusion(real, lines),
        "traffic": _confusion(traffic, lines),
        "all": _confusion(told, lines),
        "held-out": _confusion(held_out, lines),
        "held-out-missed": _missed(held_out, lines),
        "calibration": _calibration(told),
    }


def _weights(fit: Fit, examples: Sequence[Example]) -> str:
    seen = Counter(feature for example in examples for feature in features(example.evidence))
    ordered = sorted(MEANINGS, key=lambda name: (-round(fit.weights[name], 2), name))
    return _table(
        ("Clue", "Name", "Weight", "Examples"),
        [
            (MEANINGS[name], f"`{name}`", f"{fit.weights[name] + 0.0:+.2f}", str(seen[name]))
            for name in ordered
        ],
    )


def _thresholds(lines: Thresholds) -> str:
    return _table(
        ("Probability of an IoT device", "Answer"),
        [
            (f"{lines.iot_from} and more", "`iot`"),
            (f"{lines.not_iot_to} and less", "`not-iot`"),
            ("between", "`unknown`"),
        ],
    )


def _data(examples: Sequence[Example], held_out: Sequence[Told]) -> str:
    every = [*examples, *(t.example for t in held_out)]
    counts = Counter((example.file, example.label) for example in every)
    names = list(dict.fromkeys(example.file for example in every))
    return _table(
        ("File", *_LABELS.values()),
        [(f"`training/{name}`", *(str(counts[name, label]) for label in _LABELS)) for name in names],
    )


def _confusion(told: Sequence[Told], lines: Thresholds) -> str:
    counts = confusion(told, lines)
    rows = [
        (
            meaning,
            str(sum(counts[label].values())),
            *(
                f"{counts[label][word]} ({_share(counts[label][word], sum(counts[label].values()))})"
                for word in _WORDS
            ),
        )
        for label, meaning in _LABELS.items()
        if label in counts
    ]
    return _table(("Devices", "", *(f"told `{word}`" for word in _WORDS)), rows)


def _missed(told: Sequence[Told], lines: Thresholds) -> str:
    wrong = [
        f"{t.example.what} (told `{lines.word(t.chance)}`)"
        for t in told
        if t.example.label != "either" and lines.word(t.chance) != t.example.label
    ]
    return "; ".join(wrong) + ".\n" if wrong else "None.\n"


def _calibration(told: Sequence[Told]) -> str:
    rows = []
    for low, high in _BINS:
        inside = [t for t in told if low <= t.chance < high]
        if inside:
            mean = sum(t.chance for t in inside) / len(inside)
            true = sum(t.example.target for t in inside) / len(inside)
            rows.append(
                (f"{low:.2f} to {min(high, 1.0):.2f}", str(len(inside)), f"{mean:.2f}", f"{true:.2f}")
            )
    return _table(("Said", "Devices", "on average", "true of"), rows)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return (
        "\n"
        + "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
        + "\n"
    )
