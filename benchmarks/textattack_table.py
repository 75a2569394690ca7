"""Prints what textattack.sh has left in WORK as a Markdown table. Queries are means over attacked examples.

usage: textattack_table.py WORK RECIPE ... [--differences]
"""

import json
import sys
from pathlib import Path


def read_parts(work, recipe):
    """Pairs (ours, theirs) of results, and our processor seconds."""
    pairs, seconds = [], 0.0
    for part in sorted(work.glob(f"{recipe}-*.theirs.jsonl")):
        ours = part.with_name(part.name.replace("theirs", "ours"))
        mine, others = ([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in (ours, part))
        pairs += zip(mine[1:], others, strict=True)
        seconds += float(ours.with_suffix(".seconds").read_text())
    return pairs, seconds


def row_of(recipe, pairs, our_seconds):
    attacked = [(a, b) for a, b in pairs if "skipped" not in (a["status"], b["status"])]
    count = len(attacked)

    def share(same, among):
        return f"{100 * sum(same(a, b) for a, b in among) / len(among):.1f}"

    def mean(side):
        return f"{sum(pair[side]['queries'] for pair in attacked) / count:.1f}"

    def successes(side):
        return str(sum(pair[side]["status"] == "successful" for pair in attacked))

    speeds = [60 * count / seconds for seconds in (our_seconds, sum(b["seconds"] for _, b in pairs))]
    return [recipe, str(len(pairs)), str(count), successes(0), successes(1), share(lambda a, b: a["status"] == b["status"], pairs),
            share(lambda a, b: a["perturbed"] == b["perturbed"], attacked), mean(0), mean(1), f"{speeds[0]:.0f}", f"{speeds[1]:.0f}",
            f"{speeds[0] / speeds[1]:.1f}"]


def main():
    options = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    work, *recipes = [argument for argument in sys.argv[1:] if argument not in options]
    header = ["recipe", "examples", "attacked", "successes, ours", "TextAttack", "same outcome, %", "same text, %", "queries, ours",
              "TextAttack", "attacks a minute, ours", "TextAttack", "ratio"]
    print("| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for recipe in recipes:
        pairs, seconds = read_parts(Path(work), recipe)
        print("| " + " | ".join(row_of(recipe, pairs, seconds)) + " |")
        for a, b in pairs if "--differences" in options else ():
            if a["status"] != b["status"] or a["perturbed"] != b["perturbed"]:
                print(f"\n{a['original']}\n  ours, {a['status']}, {a['queries']}: {a['perturbed']}\n"
                      f"  TextAttack, {b['status']}, {b['queries']}: {b['perturbed']}")


if __name__ == "__main__":
    main()
