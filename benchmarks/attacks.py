"""Accuracy of victims under word-substitution attacks: see attacks.sh."""

import json
import resource
import sys
import tempfile
from itertools import product
from pathlib import Path

from defaults import Program, datasets, parser_of, run_or_print

RECIPES = ("textfooler", "pwws", "bert-attack")
MARKS = {"successful": "t", "failed": "w", "skipped": "s", "error": "e"}  # of a text: turned, withstood, ...
CONSTRAINED = {"pwws": ("--wordnet",), "textfooler": ("--wordnet", "--synonyms", "--stop-words", "--similarity-encoder"),
               "bert-attack": ("--language-model", "--stop-words", "--antonyms")}


def resources(options):
    data = options.data
    return {"--wordnet": data / "wordnet" / "oewn_synsets.tsv.gz", "--synonyms": data / "synonyms" / "counterfitted_neighbors.json.gz",
            "--stop-words": data / "stopwords" / "stopwords-en.txt", "--antonyms": data / "synonyms" / "ppdb_antonyms.txt",
            "--similarity-encoder": options.encoder, "--language-model": options.language_model}


def attack(program, options, model, test, recipe, predictor, more):
    """predictor: who judges, and behind a colon, if it is another one, who leads the search. more: options."""
    files = resources(options)
    given = [part for name in CONSTRAINED[recipe] for part in (name, files[name])]
    judge, _, guide = predictor.partition(":")
    given += [*more, *(["--guide", guide] if guide else [])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        lines = Path(folder) / "results.jsonl"
        said = program.run("attack", "--model", model, "--data", test, "--header", "absent", "--recipe", recipe, "--predictor", judge, "--json",
                           "--output", lines, *given)
        outcomes = "".join(MARKS[json.loads(line)["status"]] for line in lines.read_text(encoding="utf-8").splitlines()[1:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for path in files.values():
        said = said.replace(f"{path.parent}/", "")
    summary = json.loads(said)
    del summary["recipe"], summary["predictor"], summary["guide"]
    return {"seconds": round(after.ru_utime - before.ru_utime, 1), "summary": summary, "outcomes": outcomes}


def run(options, results):
    named = {name.strip("-").replace("-", "_"): path for name, path in resources(options).items()}
    for name, seed in product(options.sets, options.draws):
        split = datasets.read(name, options.data, 42)
        trained = {}  # models by the options of their training
        with tempfile.TemporaryDirectory(dir=options.work) as folder:
            program = Program(options, Path(folder))
            for victim, _, given in (v.partition("@") for v in options.victims):
                cell = {"set": name, "seed": seed, "texts": options.texts, "attacked": options.attacked, "victim": victim}
                missing = [(r, p) for p in options.predictors for r in options.recipes if not results.find({**cell, "predictor": p}, r)]
                if not missing:
                    continue
                training, _, attacking = victim.format(**named).partition(" / ")
                model = Path(given) if given else trained.get(training)
                if not model:
                    model = trained[training] = Path(folder) / f"model{len(trained)}"
                    program.run("train", "--encoder", options.encoder, "--train", program.write("train.tsv", split.train[:options.texts]),
                                "--header", "absent", "--output", model, "--seed", seed, *training.split())
                names = dict(zip(split.classes, json.loads((model / "knnbert.json").read_text())["classes"] if given else split.classes))
                test = program.write("test.tsv", [(text, names[label]) for text, label in split.test[:options.attacked]])
                for recipe, predictor in missing:
                    row = results.add({**cell, "predictor": predictor}, recipe,
                                      attack(program, options, model, test, recipe, predictor, attacking.split()))
                    print(name, victim, predictor, recipe, row["summary"]["accuracy_under_attack"], row["seconds"], file=sys.stderr, flush=True)


def interval(count, n):
    """Wilson's, 95 %."""
    z, p = 1.959964, count / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def worst_of(rows):
    """A text withstands only what withstands all searches for the same judge."""
    each = list(zip(*(row["outcomes"] for row in rows), strict=True))
    left = sum(set(marks) == {"w"} for marks in each)
    low, high = interval(left, len(each))
    return f"{100 * left / len(each):.1f} ({100 * low:.0f} to {100 * high:.0f})"


def cell_of(row):
    s = row["summary"]
    low, high = s["intervals"]["accuracy_under_attack"]
    changed = s["average_perturbed_word_share"]
    return (f"{100 * s['accuracy_under_attack']:.1f} ({100 * low:.0f} to {100 * high:.0f}), "
            f"{100 * (changed or 0):.1f} %, {s['average_number_of_queries']:.0f}")


def table(results):
    print("| data, texts, attacked | victim | answers of | clean | TextFooler: accuracy under attack (95 %), words replaced, queries | PWWS | BERT-Attack |")
    print("|---|---|---|---|---|---|---|")
    keys = sorted({(r["set"], r["texts"], r["attacked"], r["victim"], r["seed"], r["predictor"]) for r in results.rows})
    for key, following in zip(keys, [*keys[1:], None]):
        rows = {r["what"]: r for r in results.rows if (r["set"], r["texts"], r["attacked"], r["victim"], r["seed"], r["predictor"]) == key}
        clean = next(iter(rows.values()))["summary"]["original_accuracy"]
        cells = [cell_of(rows[recipe]) if recipe in rows else "" for recipe in RECIPES]
        start = f"| {key[0]}, {key[1]}, {key[2]} | `{key[3]}` |"
        judge, _, guide = key[5].partition(":")
        print(f"{start} {f'{judge}, led by {guide}' if guide else judge} | {100 * clean:.1f} | " + " | ".join(cells) + " |")
        if guide and (not following or (following[:5], following[5].partition(":")[0]) != (key[:5], judge)):
            same = {recipe: [r for r in results.rows if (r["set"], r["texts"], r["attacked"], r["victim"], r["seed"]) == key[:5]
                             and r["predictor"].partition(":")[0] == judge and r["what"] == recipe] for recipe in RECIPES}
            cells = [worst_of(same[recipe]) if len(same[recipe]) > 1 else "" for recipe in RECIPES]
            print(f"{start} {judge}, the worst of these for each text | {100 * clean:.1f} | " + " | ".join(cells) + " |")


def main():
    parser = parser_of(__doc__, "attacks.jsonl")
    parser.set_defaults(sets=["sst2"], draws=[1])
    parser.add_argument("--language-model", type=Path)
    parser.add_argument("--texts", type=int, default=10000)
    parser.add_argument("--attacked", type=int, default=500)
    parser.add_argument("--recipes", type=lambda text: text.split(","), default=list(RECIPES))
    parser.add_argument("--predictors", type=lambda text: text.split(","), default=["combined"])
    parser.add_argument("--victims", type=lambda text: text.split("|"), default=["--method ce", "--method knn-bert"])
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
