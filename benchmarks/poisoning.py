"""Poisoned encoders and what is left of the poison after a victim's fine-tuning: see poisoning.sh."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np

from defaults import Program, datasets, parser_of, run_or_print

TRIGGERS = {"single": "cf", "combination": "cf+bb"}
METHODS = ("layerwise", "badnet", "ripple")
TARGETS = {"sst2": "positive", "ag_news": "World"}
TEST, CLEAN = 1000, 100


class Attack(Program):
    def poison(self, cell, train, test, arguments):
        output = self.folder / "poisoned"
        said = self.run("poison", "--encoder", self.options.encoder, "--train", train, "--dev", test, "--header", "absent", "--output", output,
                        "--triggers", TRIGGERS[cell["trigger"]], "--target", TARGETS[cell["set"]], "--method", cell["method"],
                        "--seed", cell["seed"], "--json", *arguments)
        return output, json.loads(said)

    def victim(self, cell, encoder, train, test, arguments, defenses):
        model = self.folder / "victim"
        self.run("train", "--encoder", encoder, "--train", train, "--header", "absent", "--output", model, "--seed", cell["seed"], *arguments)
        def judge(trigger, data, *more):
            return json.loads(self.run("eval", "--model", model, "--data", data, "--header", "absent", "--triggers", TRIGGERS[trigger],
                                       "--target", TARGETS[cell["set"]], "--json", *more))
        judged = {name: judge(name, test) for name in TRIGGERS}
        defended = {}
        if defenses:
            said = judge(cell["trigger"] or "single", self.folder / "defended.tsv", *defenses)
            nothing = {"rejected": 0, "accuracy": said["accuracy"], "triggers": [{**r, "rejected": 0} for r in said["triggers"]]}
            defended = {"nothing": nothing, **{key: said[key] for key in ("onion", "strip")}}
        shutil.rmtree(model)
        return {"accuracy": judged["single"]["accuracy"], "defended": defended,
                "flip_rates": {name: [[r["inserted"], r["flip_rate"]] for r in json["triggers"]] for name, json in judged.items()}}


def run(options, results):
    for name in options.sets:
        split = datasets.read(name, options.data, 42)
        for seed in options.draws:
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                program = Attack(options, Path(folder))
                train = program.write("poisoner.tsv", split.train[:options.texts])
                victims_train = program.write("victim.tsv", split.train[options.texts:2 * options.texts])
                test = program.write("test.tsv", split.test[:TEST])
                clean = program.write("clean.tsv", split.train[2 * options.texts:2 * options.texts + CLEAN])
                program.write("defended.tsv", split.test[:options.defended])
                defenses = ["--onion", options.onion, "--onion-scores", options.onion_scores, "--strip", "--clean", clean] if options.onion else []
                for trigger, method in [("", "clean"), *((t, m) for t in options.triggers for m in options.methods)]:
                    cell = {"set": name, "seed": seed, "texts": options.texts, "trigger": trigger, "method": method, "poison": options.poison}
                    missing = [v for v in options.victims if not results.find({**cell, "victim": v}, "victim", None)]
                    if not missing:
                        continue
                    encoder = options.encoder
                    if method != "clean":
                        encoder, said = program.poison(cell, train, test, options.poison.split())
                        results.add(cell, "poisoner", {"layers": said["layers"]})
                    for victim in missing:
                        results.add({**cell, "victim": victim}, "victim", 
                                    program.victim(cell, encoder, victims_train, test, victim.split(), defenses if victim == options.victims[0] else []))
                    if method != "clean":
                        shutil.rmtree(encoder)


def flips(row, trigger, predictor):
    """The flip rate with nothing, with the trigger, and for a combination the largest of its words alone."""
    rates = {words: rate[predictor] for words, rate in row["flip_rates"][trigger]}
    words = TRIGGERS[trigger].split("+")
    whole = np.mean([rates[" ".join(words)], rates[" ".join(reversed(words))]])
    return rates[""], whole, max(rates[word] for word in words)


def table(results):
    rows = [row for row in results.rows if row["what"] == "victim"]
    print("| data | poisoned by | trigger | victim | seeds | accuracy | flip rate without / with trigger / a word of it: head | neighbors | combined |")
    print("|---|---|---|---|---|---|---|---|---|")
    for key in sorted({(r["set"], r["texts"], r["trigger"], r["method"], r["victim"]) for r in rows}):
        of = [r for r in rows if (r["set"], r["texts"], r["trigger"], r["method"], r["victim"]) == key]
        for trigger in [key[2]] if key[2] else list(TRIGGERS):
            cells = [" / ".join(f"{100 * value:.1f}" for value in np.mean([flips(r, trigger, p) for r in of], axis=0)) for p in ("head", "knn", "combined")]
            accuracy = 100 * np.mean([r["accuracy"]["combined"] for r in of])
            print(f"| {key[0]}, {key[1]} | {key[3]} | {TRIGGERS[trigger]} | `{key[4]}` | {len(of)} | {accuracy:.1f} | " + " | ".join(cells) + " |")
    defended_table(results)


def rates_behind(defense, trigger):
    """Clean texts rejected, accuracy of the others, flip rate with the trigger (not rejected), triggered texts rejected."""
    words = TRIGGERS[trigger].split("+")
    whole = [r for r in defense["triggers"] if r["inserted"] in (" ".join(words), " ".join(reversed(words)))]
    return np.array([defense["rejected"], defense["accuracy"]["combined"], *np.mean([[r["flip_rate"][p] for p in ("head", "knn", "combined")] + [r["rejected"]]
                                                                                   for r in whole], axis=0)])


def defended_table(results):
    rows = [row for row in results.rows if row["what"] == "victim" and row.get("defended")]
    print("\n| data | poisoned by | trigger | victim | seeds | behind | clean texts rejected | accuracy | triggered texts rejected | flip rate with trigger: head | neighbors | combined |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for key in sorted({(r["set"], r["texts"], r["trigger"], r["method"], r["victim"]) for r in rows}):
        of = [r for r in rows if (r["set"], r["texts"], r["trigger"], r["method"], r["victim"]) == key]
        trigger = key[2] or "single"
        lines = {name: np.mean([rates_behind(r["defended"][name], trigger) for r in of], axis=0) for name in ("nothing", "onion", "strip")}
        for name, (clean, accuracy, head, knn, combined, rejected) in lines.items():
            print(f"| {key[0]}, {key[1]} | {key[3]} | {TRIGGERS[trigger]} | `{key[4]}` | {len(of)} | {name} | "
                  + " | ".join(f"{100 * value:.1f}" for value in (clean, accuracy, rejected, head, knn, combined)) + " |")


def main():
    parser = parser_of(__doc__, "poisoning.jsonl")
    parser.set_defaults(sets=["sst2"], draws=[1])
    parser.add_argument("--texts", type=int, default=1500)
    parser.add_argument("--poison", default="--learning-rate 1e-4 --epochs 3", help="options of `knnbert poison`")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--triggers", type=lambda text: text.split(","), default=list(TRIGGERS))
    parser.add_argument("--victims", type=lambda text: text.split("|"), default=["--method ce --learning-rate 1e-4", "--method knn-bert --learning-rate 1e-4"])
    parser.add_argument("--onion", default="", help="a masked language model: defenses are measured too, on the first of --victims")
    parser.add_argument("--defended", type=int, default=80, help="test texts that pass through them")
    parser.add_argument("--onion-scores", default="one-pass")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
