"""adaptive-classifier on one core: usage: run_adaptive.py ENCODER OLD.tsv NEW.tsv OLD_TEST.tsv NEW_TEST.tsv. Examples of the known classes
first, then those of the new ones, with its own settings. Prints {"old", "new", "seconds", "peak_mb"} as JSON: accuracy on both test sets, and
seconds of the processor for adding the new examples."""

import json
import os
import sys
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
sys.path.insert(0, str(Path(__file__).parent.parent / "few_shot"))
from files import peak_mb, read  # noqa: E402


def accuracy(model, path):
    texts, labels = read(path)
    answers = [found[0][0] for found in model.predict_batch(texts, k=1)]
    return round(100 * sum(a == label for a, label in zip(answers, labels, strict=True)) / len(texts), 2)


def main():
    encoder, old, new, old_test, new_test = sys.argv[1:]
    import adaptive_classifier
    import torch
    torch.set_num_threads(1)
    model = adaptive_classifier.AdaptiveClassifier(encoder, device="cpu", use_onnx=False)
    model.add_examples(*read(old))
    before = time.process_time()
    model.add_examples(*read(new))
    seconds = time.process_time() - before
    print(json.dumps({"old": accuracy(model, old_test), "new": accuracy(model, new_test), "seconds": round(seconds, 1), "peak_mb": peak_mb()}))


main()
