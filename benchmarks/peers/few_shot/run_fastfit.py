"""FastFit on one core: usage: run_fastfit.py ENCODER TRAIN.tsv TEST.tsv SEED. The settings are those of its own example (40
epochs, batches of 32, 4 repeats, Adafactor), in fp32. Prints {"seconds", "peak_mb", "accuracy"} as JSON; the seconds are the
processor's, of fine-tuning, without imports, loading and prediction."""

import json
import os
import sys
import tempfile
import time

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
from files import peak_mb, read  # noqa: E402


class Accuracy:
    """In place of a metric that would be downloaded."""

    def compute(self, predictions, references):
        return {"accuracy": float((predictions == references).mean())}


def main():
    encoder, train, test, seed = sys.argv[1:]
    import datasets
    import fastfit.train
    import torch
    torch.set_num_threads(1)
    fastfit.train.load_metric = lambda *_, **__: Accuracy()
    (texts, labels), (test_texts, test_labels) = read(train), read(test)
    asked = datasets.Dataset.from_dict({"text": test_texts, "label": test_labels})
    parts = datasets.DatasetDict(train=datasets.Dataset.from_dict({"text": texts, "label": labels}), validation=asked, test=asked)
    with tempfile.TemporaryDirectory() as folder:
        trainer = fastfit.FastFitTrainer(
            model_name_or_path=encoder, dataset=parts, text_column_name="text", label_column_name="label", num_train_epochs=40,
            per_device_train_batch_size=32, per_device_eval_batch_size=64, max_text_length=128,
            dataloader_drop_last=False, num_repeats=4, optim="adafactor", clf_loss_factor=0.1, fp16=False, use_cpu=True, seed=int(seed),
            output_dir=folder, overwrite_output_dir=True, save_strategy="no", report_to=[], disable_tqdm=True, log_level="error")
        start = time.process_time()
        trainer.train()
        seconds = time.process_time() - start
        accuracy = trainer.evaluate()["eval_accuracy"]
    print(json.dumps({"seconds": round(seconds, 1), "peak_mb": peak_mb(), "accuracy": round(100 * accuracy, 3)}))


main()
