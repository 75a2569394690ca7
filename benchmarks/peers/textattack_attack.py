"""Attacks a classifier by word substitution with TextAttack 0.3.11, from the files that `knnbert attack` reads. One JSON line an
example: {"example", "status", "original", "perturbed", "score", "queries", "seconds"}; seconds are those of the processor, without loading.

Goal, search, and the constraints on words are TextAttack's own, put together as its recipes of the same names. Synonyms, parts of
speech, guesses of the language model and sentence embeddings come from our files, by the rules of include/knnbert/attack.

python textattack_attack.py --recipe textfooler --model DIR --data TEXTS.tsv --output FILE --synonyms FILE --wordnet FILE ...
"""

import sys

sys.path.append(sys.path.pop(0))  # behind the others: modules here are named like some of the standard library and of PyPI

import argparse
import gzip
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import json
import os
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

# TextAttack imports these on loading; this comparison uses nothing of them. Those that are not installed become empty modules.
UNUSED = ("bert_score", "datasets", "flair", "jieba", "langdetect", "language_tool_python", "lemminflect", "OpenHowNet", "pinyin")


class EmptyModule(ModuleType):
    """A capital begins the name of a class, all other names are modules too."""
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {}) if name[0].isupper() else EmptyModule(f"{self.__name__}.{name}")


class EmptyModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, names):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in self.names else None

    def create_module(self, spec):
        return EmptyModule(spec.name)

    def exec_module(self, module):
        pass


def is_installed(name):
    spec = importlib.util.find_spec(name)
    return spec is not None and Path(spec.origin or "").parent != Path(__file__).parent  # datasets.py lies beside this file


sys.meta_path.insert(0, EmptyModules([name for name in UNUSED if not is_installed(name)]))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import nltk

nltk.corpus.stopwords = SimpleNamespace(words=lambda language: [])  # TextAttack's loading asks for a list that has to be downloaded

import textattack
import torch
import transformers
from textattack.constraints import Constraint
from textattack.constraints.overlap import MaxWordsPerturbed
from textattack.constraints.pre_transformation import RepeatModification, StopwordModification
from textattack.constraints.semantics.sentence_encoders import SentenceEncoder
from textattack.goal_functions import UntargetedClassification
from textattack.models.wrappers import HuggingFaceModelWrapper
from textattack.search_methods import GreedyWordSwapWIR
from textattack.shared.utils import is_one_word
from textattack.transformations import WordSwap

# --- the files -----------------------------------------------------------------------------------


def read_text(path):
    data = Path(path).read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")


def table_word(word):
    return " ".join(word.lower().split())


def distinct(words, but=()):
    return [word for word in dict.fromkeys(words) if word and word not in but]


def read_synonyms(path):
    """Keys that are one word in lower case are one list."""
    table = {}
    for word, others in json.loads(read_text(path)).items():
        word = table_word(word)
        table[word] = distinct([*table.get(word, ()), *map(table_word, others)], (word,))
    return table


class WordNet:
    """Sets of synonyms; base forms by the rules of WordNet's morphy."""
    PARTS = {"n": "n", "v": "v", "a": "a", "s": "a", "r": "r"}
    ENDINGS = {
        "n": (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")),
        "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
        "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    }
    FORMS_OF_BE = {"be", "am", "is", "are", "was", "were", "been", "being"}

    def __init__(self, path):
        self.synsets, self.parts_of, self.synsets_of = [], {}, {}
        for line in read_text(path).splitlines():
            if not line:
                continue
            _, part, _, members = line.split("\t")
            members = [lemma for lemma in map(table_word, members.split("|")) if lemma]
            for lemma in dict.fromkeys(members):
                self.parts_of.setdefault(lemma, set()).add(self.PARTS[part])
                self.synsets_of.setdefault(lemma, []).append(len(self.synsets))
            self.synsets.append((self.PARTS[part], members))

    def inflections(self, word, part):
        for ending, replacement in self.ENDINGS[part]:
            if len(word) <= len(ending) or not word.endswith(ending):
                continue
            stem = word[:len(word) - len(ending)]
            yield stem + replacement
            if ending != "s" and not replacement and len(stem) > 2 and stem[-1] == stem[-2]:
                yield stem[:-1]

    def parts_of_speech(self, word):
        parts = set(self.parts_of.get(word, ()))
        for part in self.ENDINGS:
            if any(part in self.parts_of.get(base, ()) for base in self.inflections(word, part)):
                parts.add(part)
        return parts

    def synonyms(self, word):
        if word in self.FORMS_OF_BE:
            return []
        parts = self.parts_of_speech(word)
        forms = [word] if parts & self.parts_of.get(word, set()) else []
        for part in self.ENDINGS:
            if part in parts:
                forms += [base for base in self.inflections(word, part) if part in self.parts_of.get(base, ())]
        forms = distinct(forms)
        members = [member for form in forms for s in self.synsets_of[form] if self.synsets[s][0] in parts
                   for member in self.synsets[s][1] if " " not in member]
        return distinct(members, {word, *forms})


# --- where words come from -----------------------------------------------------------------------

class FromTable(WordSwap):
    """Synonyms of a word, wherever it stands."""

    def __init__(self, synonyms):
        super().__init__()
        self.synonyms = synonyms

    def _get_replacement_words(self, word):
        return self.synonyms(word.lower())


def original_of(text):
    while "previous_attacked_text" in text.attack_attrs:
        text = text.attack_attrs["previous_attacked_text"]
    return text


class FromLanguageModel(WordSwap):
    """BERT-Attack's guesses from one pass over the original text, nothing masked: FromLanguageModel and MaskedGuesses of ours. As in
    TextAttack's recipe only what is one word is tried."""
    MOST_PIECES, BEST_OF_PIECE, COMBINATIONS = 12, 4, 24

    def __init__(self, directory, best):
        super().__init__()
        self.model = transformers.AutoModelForMaskedLM.from_pretrained(directory).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
        self.best, self.known = best, {}
        self.special = set(self.tokenizer.all_special_ids)

    def guesses(self, text):
        """Character spans of the pieces of a text and the best guesses (id, piece) for each."""
        if text not in self.known:
            encoding = self.tokenizer(text, return_offsets_mapping=True, return_tensors="pt", truncation=True, max_length=512)
            spans = encoding.pop("offset_mapping")[0, 1:-1].tolist()
            with torch.inference_mode():
                ids = self.model(**encoding).logits[0, 1:-1].topk(self.best).indices.tolist()
            pieces = [[(i, self.tokenizer.convert_ids_to_tokens(i)) for i in row if i not in self.special] for row in ids]
            self.known = {text: (spans, pieces)}
        return self.known[text]

    def losses(self, sequences):
        ids = torch.tensor(sequences)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            return torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids, reduction="none").mean(1).tolist()

    def combined(self, pieces):
        chosen = list(itertools.islice(itertools.product(*(row[:self.BEST_OF_PIECE] for row in pieces)), self.COMBINATIONS))
        if not chosen:
            return []
        losses = self.losses([[i for i, _ in sequence] for sequence in chosen])
        texts = ["".join(piece[2:] if n and piece.startswith("##") else " " * bool(n) + piece for n, (_, piece) in enumerate(sequence))
                 for sequence in chosen]
        return [texts[i] for i in sorted(range(len(texts)), key=losses.__getitem__)]

    def candidates(self, original, index):
        spans, pieces = self.guesses(original.text)
        first = original._text_index_of_word_index(index)
        end = first + len(original.words[index])
        own = [row for (a, b), row in zip(spans, pieces) if first <= a and b <= end]
        words = [piece for _, piece in own[0]] if len(own) == 1 else self.combined(own[:self.MOST_PIECES]) if own else []
        return [word for word in distinct(words, {original.words[index]}) if "##" not in word and is_one_word(word)]

    def _get_transformations(self, current_text, indices_to_modify):
        original = original_of(current_text)
        return [current_text.replace_word_at_index(i, word) for i in indices_to_modify for word in self.candidates(original, i)]


# --- what must be kept ---------------------------------------------------------------------------

class KeepPartOfSpeech(Constraint):
    """The sets of parts of speech by WordNet's lexicon meet, or one has a noun and the other a verb."""

    def __init__(self, wordnet):
        super().__init__(compare_against_original=True)
        self.wordnet = wordnet

    def _check_constraint(self, transformed_text, reference_text):
        either = {"n", "v"}
        for i in transformed_text.attack_attrs["newly_modified_indices"]:
            a, b = (self.wordnet.parts_of_speech(text.words[i].lower()) for text in (reference_text, transformed_text))
            if not (a == b or a & b or (a & either and b & either)):
                return False
        return True


class KeepMeaning(SentenceEncoder):
    """Mean pooling of an encoder in place of the Universal Sentence Encoder."""

    def __init__(self, directory, **options):
        super().__init__(**options)
        self.encoder = transformers.AutoModel.from_pretrained(directory).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(directory)

    def encode(self, sentences):
        rows = []
        for first in range(0, len(sentences), 32):
            inputs = self.tokenizer(sentences[first:first + 32], padding=True, truncation=True, max_length=512, return_tensors="pt")
            with torch.inference_mode():
                states = self.encoder(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1)
            rows.append((states * mask).sum(1) / mask.sum(1))
        return torch.cat(rows)


# --- the attacks ---------------------------------------------------------------------------------

class Victim(HuggingFaceModelWrapper):
    """TextAttack's wrapper pads every text to the model's greatest length; this one to the longest of its batch."""

    def __call__(self, texts):
        inputs = self.tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            return self.model(**inputs).logits


def build(options, victim):
    wordnet = WordNet(options.wordnet) if options.recipe in ("textfooler", "pwws") else None
    stop_words = {table_word(line) for line in read_text(options.stop_words).splitlines() if line.strip()}
    constraints = [RepeatModification(), StopwordModification(stopwords=stop_words)]
    if options.recipe == "textfooler":
        table = read_synonyms(options.synonyms)
        source = FromTable(lambda word: table.get(word, [])[:50])
        constraints.append(KeepPartOfSpeech(wordnet))
        constraints.append(KeepMeaning(options.similarity_encoder, threshold=0.840845057, metric="angular",
                                       compare_against_original=False, window_size=15, skip_text_shorter_than_window=True))
        search = GreedyWordSwapWIR(wir_method="delete")
    elif options.recipe == "pwws":
        source = FromTable(wordnet.synonyms)
        search = GreedyWordSwapWIR(wir_method="weighted-saliency")
    else:
        source = FromLanguageModel(options.language_model, options.guesses)
        constraints.append(MaxWordsPerturbed(max_percent=0.4))
        constraints.append(KeepMeaning(options.similarity_encoder, threshold=0.2, metric="cosine", compare_against_original=True,
                                       window_size=None))
        search = GreedyWordSwapWIR(wir_method="unk")
    return textattack.Attack(UntargetedClassification(victim), constraints, source, search)


def read_examples(path, label_ids):
    for line in read_text(path).splitlines():
        text, label = line.rsplit("\t", 1)
        yield table_word(text), label_ids[label]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", choices=("textfooler", "pwws", "bert-attack"), required=True)
    parser.add_argument("--model", required=True, help="directory of AutoModelForSequenceClassification")
    parser.add_argument("--data", required=True, help="lines text<TAB>class name")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--stop-words", required=True)
    parser.add_argument("--synonyms", help="textfooler")
    parser.add_argument("--wordnet", help="textfooler, pwws")
    parser.add_argument("--similarity-encoder", help="textfooler, bert-attack")
    parser.add_argument("--language-model", help="bert-attack")
    parser.add_argument("--guesses", type=int, default=8, help="of the language model for a piece")
    parser.add_argument("--padding", choices=("longest", "most"), default="longest",
                        help="of the victim's texts: to the longest of a batch, or as TextAttack's wrapper has it")
    parser.add_argument("--words", choices=("textattack", "white-space"), default="textattack",
                        help="what words are: TextAttack's, which have no punctuation, or what stands between white space, as ours")
    options = parser.parse_args()
    if options.words == "white-space":
        textattack.shared.attacked_text.words_from_text = str.split
    torch.set_num_threads(1)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    attack = build(options, (Victim if options.padding == "longest" else HuggingFaceModelWrapper)(model, tokenizer))
    label_ids = {name: int(i) for i, name in model.config.id2label.items()}
    with open(options.output, "w", encoding="utf-8", newline="\n") as lines:
        for i, (text, label) in enumerate(read_examples(options.data, label_ids)):
            begin = time.process_time()
            result = attack.attack(text, label)
            seconds = time.process_time() - begin
            lines.write(json.dumps({"example": i,
                                    "status": type(result).__name__.replace("AttackResult", "").lower(),
                                    "original": result.original_result.attacked_text.text,
                                    "perturbed": result.perturbed_result.attacked_text.text,
                                    "score": round(float(result.perturbed_result.score), 6),
                                    "queries": attack.goal_function.num_queries,
                                    "seconds": round(seconds, 4)}, ensure_ascii=False) + "\n")
            lines.flush()


if __name__ == "__main__":
    main()
