"""SetFit on one core: usage: run_setfit.py ENCODER TRAIN.tsv TEST.tsv SEED ITERATIONS. ITERATIONS: pairs of each kind a text,
or 0 for all pairs, the kind of which there are fewer repeated. Prints {"seconds", "peak_mb", "accuracy"} as JSON; the seconds are the
processor's, of fine-tuning and head, without imports, loading and prediction."""

import json
import os
import sys
import time

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
from files import peak_mb, read  # noqa: E402


def main():
    encoder, train, test, seed, iterations = sys.argv[1:]
    import datasets
    import setfit
    import torch
    torch.set_num_threads(1)
    (texts, labels), (test_texts, test_labels) = read(train), read(test)
    number = {name: i for i, name in enumerate(sorted(set(labels)))}
    rows = datasets.Dataset.from_dict({"text": texts, "label": [number[name] for name in labels]})
    arguments = setfit.TrainingArguments(batch_size=16, num_epochs=1, seed=int(seed), report_to="none", save_strategy="no",
                                         num_iterations=int(iterations) or None, show_progress_bar=False, use_amp=False)
    model = setfit.SetFitModel.from_pretrained(encoder, device="cpu")
    trainer = setfit.Trainer(model=model, args=arguments, train_dataset=rows)
    start = time.process_time()
    trainer.train()
    seconds = time.process_time() - start
    answers = [int(answer) for answer in model.predict(test_texts)]
    right = sum(answer == number.get(label) for answer, label in zip(answers, test_labels, strict=True))
    print(json.dumps({"seconds": round(seconds, 1), "peak_mb": peak_mb(), "accuracy": round(100 * right / len(test_texts), 3)}))


main()
