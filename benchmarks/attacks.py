"""Accuracy of victims under word-substitution attacks: see attacks.sh."""

import json
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from defaults import Program, parser_of, run_or_print
from poisoning import read

RECIPES = ("textfooler", "pwws", "bert-attack")
PREDICTORS = ("combined", "head", "knn")
CONSTRAINED = {"pwws": ("--wordnet",), "textfooler": ("--wordnet", "--synonyms", "--stop-words", "--similarity-encoder"),
               "bert-attack": ("--language-model", "--stop-words", "--antonyms")}


def resources(options):
    data = options.data
    return {"--wordnet": data / "wordnet" / "oewn_synsets.tsv.gz", "--synonyms": data / "synonyms" / "counterfitted_neighbors.json.gz",
            "--stop-words": data / "stopwords" / "stopwords-en.txt", "--antonyms": data / "synonyms" / "ppdb_antonyms.txt",
            "--similarity-encoder": options.encoder, "--language-model": options.language_model}


def attack(program, options, model, test, recipe, predictor):
    files = resources(options)
    given = [part for name in CONSTRAINED[recipe] for part in (name, files[name])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = program.run("attack", "--model", model, "--data", test, "--header", "absent", "--recipe", recipe, "--predictor", predictor, "--json",
                       *given)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = json.loads(said)
    del summary["recipe"], summary["predictor"]
    return {"seconds": round(after.ru_utime - before.ru_utime, 1), "summary": summary}


def run(options, results):
    for name in options.sets:
        split = read(name, options.data)
        for seed in options.draws:
            for victim in options.victims:
                cell = {"set": name, "seed": seed, "texts": options.texts, "attacked": options.attacked, "victim": victim}
                missing = [(r, p) for p in options.predictors for r in options.recipes if not results.find({**cell, "predictor": p}, r)]
                if not missing:
                    continue
                with tempfile.TemporaryDirectory(dir=options.work) as folder:
                    program = Program(options, Path(folder))
                    train, model = program.write("train.tsv", split.train[:options.texts]), Path(folder) / "model"
                    test = program.write("test.tsv", split.test[:options.attacked])
                    program.run("train", "--encoder", options.encoder, "--train", train, "--header", "absent", "--output", model, "--seed", seed,
                                *victim.split())
                    for recipe, predictor in missing:
                        row = results.add({**cell, "predictor": predictor}, recipe, attack(program, options, model, test, recipe, predictor))
                        print(name, victim, predictor, recipe, row["summary"]["accuracy_under_attack"], row["seconds"], file=sys.stderr, flush=True)
                    shutil.rmtree(model)


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
    for key in keys:
        rows = {r["what"]: r for r in results.rows if (r["set"], r["texts"], r["attacked"], r["victim"], r["seed"], r["predictor"]) == key}
        clean = next(iter(rows.values()))["summary"]["original_accuracy"]
        cells = [cell_of(rows[recipe]) if recipe in rows else "" for recipe in RECIPES]
        print(f"| {key[0]}, {key[1]}, {key[2]} | `{key[3]}` | {key[5]} | {100 * clean:.1f} | " + " | ".join(cells) + " |")


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
