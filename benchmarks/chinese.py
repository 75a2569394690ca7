"""The Chinese attack with sentence pieces beside one on characters and a random one, from nothing but data: see chinese.sh."""

import csv
import gzip
import io
import json
import lzma
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from defaults import hash_of, parser_of, run_or_print

SETS = {"tnews": "dev.tsv.gz", "chnsenticorp": "dev.tsv"}
ATTACKS = ("pieces", "characters", "random")
STEPS = {"characters": 3000, "generator": 1600, "judge": 1000}
TRAINING = ["--head-only-steps", 60, "--batch-size", 8, "--learning-rate", "5e-4", "--warmup", "0.06", "--no-dropout", "--precision", "bf16"]
VICTIM = "--epochs 3 --learning-rate 2e-4 --batch-size 16 --label-smoothing 0.1 --precision bf16"
DRAWS = 2000  # of a bootstrap interval


def rows_of(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        return [tuple(line.rstrip("\n").split("\t")) for line in lines if "\t" in line]


def letters(text):
    return re.sub(r"\W+", "", text)


def grouped(lines, size=50):
    return ["\n".join(lines[i:i + size]) for i in range(0, len(lines), size)]


def prepare(options):
    """Two thirds of the documents for the generator and the victims' encoder, the others for the judge. Reviews that are texts of a set,
    letter by letter, are left out."""
    work, data = options.work, options.data
    texts, known = [], set()
    for name, dev in SETS.items():
        train, test = rows_of(data / name / "train.tsv.gz"), rows_of(data / name / dev)
        seen = {text for text, _ in train}
        write(work / f"{name}.train.tsv", ["\t".join(row) + "\n" for row in train])
        write(work / f"{name}.test.tsv", ["\t".join(row) + "\n" for row in test if row[0] not in seen])
        texts += [text for text, _ in train]
        known |= {letters(text) for text, _ in train + test}
    with lzma.open(data / "corpus" / "zh_wiki_part.txt.xz", "rt", encoding="utf-8", errors="ignore") as file:
        documents = [document for document in file.read().split("\n\n") if document.strip()]
    with zipfile.ZipFile(data / "online_shopping" / "online_shopping_10_cats.zip") as archive:
        table = io.TextIOWrapper(archive.open("online_shopping_10_cats.csv"), encoding="utf-8-sig", newline="")
        reviews = [" ".join((row["review"] or "").replace("\ufeff", "").split()) for row in csv.DictReader(table)]
    reviews = grouped([text for text in reviews if text and letters(text) not in known])
    write_documents(work / "wiki.txt", [d for i, d in enumerate(documents) if i % 3 < 2])
    write_documents(work / "texts.txt", grouped(texts) + [d for i, d in enumerate(reviews) if i % 3 < 2])
    write_documents(work / "other.txt", [d for all in (documents, reviews) for i, d in enumerate(all) if i % 3 == 2])


def write_documents(path, documents):
    write(path, ["\n\n".join(documents), "\n"])


def write(path, parts):
    path.write_text("".join(parts), encoding="utf-8", newline="\n")


def run(options, results):
    options.work.mkdir(parents=True, exist_ok=True)
    Benchmark(options, results)()


class Benchmark:
    def __init__(self, options, results):
        self.options, self.results, self.work = options, results, options.work

    def __call__(self):
        if not (self.work / "other.txt").exists():
            prepare(self.options)
        if not (self.work / "pieces" / "tokenizer.json").exists():
            self.python("unigram.py", self.work / "wiki.txt", self.work / "pieces", "--pieces", 16000)
        for name in self.options.sets:
            self.attack_set(name)

    def python(self, script, *arguments, **given):
        command = [*self.options.prefix.split(), self.options.python, Path(__file__).with_name(script), *map(str, arguments)]
        return subprocess.run(command, check=True, **given)

    def knnbert(self, *arguments):
        command = [*self.options.prefix.split(), self.options.knnbert, *map(str, arguments), "--threads", str(self.options.threads), "--json"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return json.loads(said.splitlines()[-1]), round(after.ru_utime - before.ru_utime, 1)

    def pretrained(self, name):
        """The masked language model of that name, which is made if it is not there; how that went is a row."""
        steps = self.options.steps[name]
        folder, start = self.work / f"{name}.{steps}", self.work / f"{name}.start"
        if not (folder / "model.safetensors").exists():
            corpus = self.work / ("other.txt" if name == "judge" else "texts.txt")
            tokenizer = self.work / "pieces" if name == "generator" else self.options.data / "vocab" / "bert-base-chinese-vocab.txt"
            self.python("transplant.py", self.options.encoder, tokenizer, start, corpus)
            self.knnbert("pretrain", "--encoder", start, "--train", corpus, "--output", folder, "--steps", steps, "--max-length",
                         96 if name == "generator" else 128, *TRAINING)
        cell = {"set": "corpus", "model": name, "steps": steps}
        if not self.results.find(cell, "pretraining"):
            made = json.loads((folder / "pretraining.json").read_text())
            self.results.add(cell, "pretraining", {key: made[key] for key in ("pieces", "seconds", "held_out")})
        return folder

    def attack_set(self, name):
        o = self.options
        cell = {"set": name, "texts": o.texts, "attacked": o.attacked, "seed": o.draws[0], "victim": o.victim, "steps": o.steps}
        self.folder = self.work / f"{name}.{hash_of(json.dumps(cell))[:8]}"
        self.folder.mkdir(exist_ok=True)
        train, test, victim = self.folder / "train.tsv", self.work / f"{name}.test.tsv", self.folder / "victim"
        write(train, ["\t".join(row) + "\n" for row in rows_of(self.work / f"{name}.train.tsv")[:o.texts]])
        if not self.results.find(cell, "ngrams"):
            self.results.add(cell, "ngrams", ngrams(rows_of(train), rows_of(test)))
        if not (victim / "knnbert.json").exists():
            self.knnbert("train", "--encoder", self.pretrained("characters"), "--train", train, "--header", "absent", "--output", victim,
                         "--method", "ce", "--pooling", "mean", "--max-length", 128, "--seed", cell["seed"], *o.victim.split())
        if not self.results.find(cell, "victim"):
            judged, seconds = self.knnbert("eval", "--model", victim, "--data", test, "--header", "absent")
            self.results.add(cell, "victim", {"accuracy": judged["accuracy"]["head"], "n": judged["n"]})
        for attack in ATTACKS:
            if not self.results.find(cell, attack):
                row = self.results.add(cell, attack, self.attack(name, attack, cell["seed"]))
                print(name, attack, row["summary"]["accuracy_under_attack"], row["seconds"], file=sys.stderr, flush=True)
        if not self.results.find(cell, "judged"):
            self.results.add(cell, "judged", self.judge())

    def attack(self, name, attack, seed):
        guesser = "characters" if attack == "characters" else "generator"
        extra = ["--random-guesses"] if attack == "random" else []
        summary, seconds = self.knnbert(
            "attack", "--recipe", "sentence-piece", "--model", self.folder / "victim", "--data", self.work / f"{name}.test.tsv", "--header",
            "absent", "--predictor", "head", "--examples", self.options.attacked, "--seed", seed, "--language-model", self.pretrained(guesser),
            "--stop-words", self.options.data / "stopwords" / "cn_stopwords.txt", "--output", self.folder / f"{attack}.jsonl", *extra)
        return {"seconds": seconds, "summary": summary}

    def judge(self):
        """Fluency and meaning of texts that every attack turned."""
        lines = {attack: lines_of(self.folder / f"{attack}.jsonl")[1:] for attack in ATTACKS}
        turned = [i for i in range(len(lines["pieces"])) if all(lines[a][i]["status"] == "successful" for a in ATTACKS)]
        turned = turned[:self.options.judged]
        texts = [{"original": lines["pieces"][i]["original"], **{a: lines[a][i]["perturbed"] for a in ATTACKS}} for i in turned]
        said = self.python("chinese_judge.py", self.pretrained("judge"), input="".join(json.dumps(row) + "\n" for row in texts),
                           stdout=subprocess.PIPE, text=True, encoding="utf-8")
        return {"n": len(turned), **qualities([json.loads(line) for line in said.stdout.splitlines()])}


def lines_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ngrams(train, test):
    """Accuracy of logistic regression on characters and pairs of them, at the better of two strengths, chosen on the test texts."""
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    known = vectors.fit_transform(text for text, _ in train)
    unknown = vectors.transform(text for text, _ in test)
    fitted = (LogisticRegression(C=c, max_iter=1000).fit(known, [label for _, label in train]) for c in (1, 10))
    return {"accuracy": max(model.score(unknown, [label for _, label in test]) for model in fitted), "n": len(test)}


def qualities(judged):
    """Pseudo-perplexity of the originals and of the texts of every attack together, that as a multiple of the originals', and the mean
    cosine, with 95 % bootstrap intervals over the texts."""
    drawn = np.random.default_rng(1).integers(len(judged), size=(DRAWS, len(judged)))

    def perplexity(name, chosen):
        loss = np.array([row["loss"][name] for row in judged], dtype=float)[chosen]
        return np.exp(loss[..., 0].sum(-1) / loss[..., 1].sum(-1))

    def within(values):
        return [round(float(value), 4) for value in np.percentile(values, (2.5, 97.5))]

    whole = np.arange(len(judged))
    measured = {"original": {"perplexity": round(float(perplexity("original", whole)), 2)},
                "unrelated": round(float(np.mean([row["unrelated"] for row in judged])), 4)}
    for attack in ATTACKS:
        cosines = np.array([row["cosine"][attack] for row in judged])
        measured[attack] = {"perplexity": round(float(perplexity(attack, whole)), 2),
                            "ratio": round(float(perplexity(attack, whole) / perplexity("original", whole)), 3),
                            "ratio_interval": within(perplexity(attack, drawn) / perplexity("original", drawn)),
                            "cosine": round(float(cosines.mean()), 4), "cosine_interval": within(cosines[drawn].mean(1))}
    return measured


def table(results):
    def share(summary, key):
        low, high = summary["intervals"][key]
        return f"{100 * summary[key]:.1f} ({100 * low:.1f} to {100 * high:.1f})"

    print("| data, attacked | victim / n-grams | attack | accuracy under attack (95 %) | success rate (95 %) | pieces or characters replaced | "
          "characters edited | queries | pseudo-perplexity, times the original's (95 %) | cosine (95 %) |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    all_judged = [row for row in results.rows if row["what"] == "judged"]
    for judged in all_judged:
        cell = {key: judged[key] for key in ("set", "texts", "attacked", "seed", "victim", "steps")}
        victim, known = (results.find(cell, what)["accuracy"] for what in ("victim", "ngrams"))
        for attack in ATTACKS:
            s, q = results.find(cell, attack)["summary"], judged[attack]
            print(f"| {judged['set']}, {judged['attacked']} | {100 * victim:.1f} / {100 * known:.1f} | {attack} | "
                  f"{share(s, 'accuracy_under_attack')} | {share(s, 'attack_success_rate')} | {100 * s['average_perturbed_word_share']:.1f} % | "
                  f"{100 * s['average_character_edit_share']:.1f} % | {s['average_number_of_queries']:.0f} | "
                  f"{q['perplexity']:.0f}, {q['ratio']:.2f} ({q['ratio_interval'][0]:.2f} to {q['ratio_interval'][1]:.2f}) | "
                  f"{q['cosine']:.3f} ({q['cosine_interval'][0]:.3f} to {q['cosine_interval'][1]:.3f}) |")
    for judged in all_judged:
        print(f"\n{judged['set']}: judged are {judged['n']} texts that every attack turned; their originals have pseudo-perplexity "
              f"{judged['original']['perplexity']:.0f}, unrelated ones cosine {judged['unrelated']:.3f}")


def main():
    parser = parser_of(__doc__, "chinese.jsonl")
    parser.set_defaults(sets=list(SETS), draws=[1])
    parser.add_argument("--python", default="python3", help="with the packages of tests/reference/requirements.txt")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", type=int, default=5000, help="to train victims on")
    parser.add_argument("--attacked", type=int, default=500)
    parser.add_argument("--judged", type=int, default=200, help="of the texts that every attack turned, for fluency and meaning")
    parser.add_argument("--steps", type=json.loads, default=STEPS, help="of pretraining, such as " + json.dumps(STEPS))
    parser.add_argument("--victim", default=VICTIM, help="options of `knnbert train`")
    run_or_print(parser, run, table)


if __name__ == "__main__":
    main()
