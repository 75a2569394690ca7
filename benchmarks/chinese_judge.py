"""usage: chinese_judge.py JUDGE < TEXTS > JUDGED

Fluency and meaning of texts beside the texts they come from, by a masked language model over characters that
transformers' BertForMaskedLM reads. TEXTS: JSON lines {"original": text, name: text, ...} with the same names. JUDGED:
for each {"loss": {"original": [sum, tokens], name: ...}, "cosine": {name: ...}, "unrelated"}. loss: the cross entropy of every token of
the first 126, masked with every seventh other one about as in training, which makes seven passes over a text; exp(sum / tokens) is its
pseudo-perplexity (Salazar et al. 2020 mask one at a time). cosine: of the mean hidden states less the mean of all originals'; unrelated: that
of an original and the next one. Needs the packages torch and transformers.
"""

import json
import sys

import torch
from transformers import AutoTokenizer, BertForMaskedLM
from transformers.utils import logging

TOKENS, STRIDE, BATCH = 126, 7, 32


class Judge:
    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = BertForMaskedLM.from_pretrained(folder).eval()

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=True, truncation=True, max_length=TOKENS + 2)["input_ids"]

    def batches(self, rows):
        for start in range(0, len(rows), BATCH):
            part = rows[start:start + BATCH]
            ids = torch.full((len(part), max(map(len, part))), self.tokenizer.pad_token_id)
            for i, row in enumerate(part):
                ids[i, :len(row)] = torch.tensor(row)
            yield start, ids, (ids != self.tokenizer.pad_token_id).long()

    def loss(self, ids):
        """[sum, tokens] of one text."""
        inner = torch.arange(1, len(ids) - 1)
        groups = [inner[inner % STRIDE == first] for first in range(STRIDE)]
        groups = [group for group in groups if len(group)]
        if not groups:
            return [0.0, 0]
        rows = torch.tensor([ids] * len(groups))
        wanted = rows.clone()
        for row, group in enumerate(groups):
            rows[row, group] = self.tokenizer.mask_token_id
        masked = rows != wanted  # a token that is a mask already has no loss
        hidden = self.model.bert(rows).last_hidden_state[masked]
        losses = torch.nn.functional.cross_entropy(self.model.cls(hidden), wanted[masked], reduction="sum")
        return [float(losses), int(masked.sum())]

    def means(self, rows):
        """[N, H] mean hidden states without the special tokens."""
        means = []
        for _, ids, mask in self.batches(rows):
            hidden = self.model.bert(ids, attention_mask=mask).last_hidden_state
            inner = mask * (ids != self.tokenizer.cls_token_id) * (ids != self.tokenizer.sep_token_id)
            means.append((hidden * inner[..., None]).sum(1) / inner.sum(1, keepdim=True).clamp(min=1))
        return torch.cat(means)


@torch.inference_mode()
def main():
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    judge = Judge(sys.argv[1])
    rows = [json.loads(line) for line in sys.stdin]
    ids = {name: [judge.ids(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    means = {name: judge.means(texts) for name, texts in ids.items()}
    center = means["original"].mean(0)
    cosine = lambda a, b: torch.nn.functional.cosine_similarity(a - center, b - center).tolist()  # noqa: E731
    cosines = {name: cosine(means["original"], mean) for name, mean in means.items() if name != "original"}
    unrelated = cosine(means["original"], means["original"].roll(1, 0))
    for i in range(len(rows)):
        print(json.dumps({"loss": {name: judge.loss(texts[i]) for name, texts in ids.items()},
                          "cosine": {name: values[i] for name, values in cosines.items()}, "unrelated": unrelated[i]}))


if __name__ == "__main__":
    main()
