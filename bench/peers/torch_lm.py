#!/usr/bin/python3
"""PyTorch's perplexity on the King James Bible, with the settings of `train --model lstm --data kjv`.

usage: torch_lm.py [--epochs E] [--hidden F] [--layers L] [--dropout P] [--batch B] [--seq T]
                   [--vocab V] [--lr LR] [--clip NORM] [--seed S] [--threads N] [--text FILE]

Text, tokens, splits, columns, model, distributions of the initial values, learning rate and clipping are
the same; the random draws are not. SGD without momentum; the learning rate decreases linearly to zero.
Prints the perplexity of the test split after every epoch.
"""
import argparse
import collections
import math
import os
import pathlib
import re
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def tokens_of(path):
    words = []
    with open(path, encoding="latin-1") as file:  # one character per byte
        for line in file:
            for chunk in line.lower().split():
                words += re.findall(r"[0-9a-z\x80-\xff]+(?:['-][0-9a-z\x80-\xff]+)*|.", chunk)
            words.append("<eos>")
    return words


def numbered(words, most):
    """Splits 90/5/5. The vocabulary is that of the first split, by decreasing frequency; <unk> is 0."""
    cut = [len(words) * 90 // 100, len(words) * 95 // 100]
    parts = [words[:cut[0]], words[cut[0]:cut[1]], words[cut[1]:]]
    counts = collections.Counter(parts[0])  # most_common keeps the order of first appearance
    known = [word for word, _ in counts.most_common(most - 1)]
    index = {word: i + 1 for i, word in enumerate(known)}
    return [torch.tensor([index.get(word, 0) for word in part]) for part in parts], len(known) + 1


class Model(nn.Module):
    def __init__(self, vocabulary, o):
        super().__init__()
        self.encoder = nn.Embedding(vocabulary, o.hidden)
        self.dropout = nn.Dropout(o.dropout)
        self.rnn = nn.LSTM(o.hidden, o.hidden, o.layers, dropout=o.dropout)
        self.decoder = nn.Linear(o.hidden, vocabulary)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, ids, state):
        y, state = self.rnn(self.dropout(self.encoder(ids)), state)
        return self.decoder(self.dropout(y)).flatten(0, 1), tuple(s.detach() for s in state)


def columns(tokens, count):
    """Shape (L + 1, count): column c has the tokens c L to (c + 1) L, both included."""
    length = (len(tokens) - 1) // count
    return torch.stack([tokens[c * length:(c + 1) * length + 1] for c in range(count)], 1)


def perplexity(model, tokens, o):
    model.eval()
    text, state, loss, n = columns(tokens, 10), None, 0.0, 0
    with torch.no_grad():
        for i in range(0, len(text) - 1, o.seq):
            ids, labels = text[i:i + o.seq][:len(text) - 1 - i], text[i + 1:i + 1 + o.seq]
            logits, state = model(ids, state)
            loss += F.cross_entropy(logits, labels.flatten(), reduction="sum").item()
            n += labels.numel()
    model.train()
    return math.exp(loss / n)


def main():
    home = os.environ.get("XDG_DATA_HOME", os.path.expanduser("~/.local/share"))
    folder = os.environ.get("TERSE_DATA", os.path.join(home, "tersegrad"))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=pathlib.Path, default=pathlib.Path(folder) / "kjv.txt")
    for name, value in dict(epochs=3, hidden=200, layers=2, batch=32, seq=30, vocab=1000000, seed=1,
                            threads=1, dropout=0.2, lr=20.0, clip=0.25).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    o = parser.parse_args()
    torch.manual_seed(o.seed)
    torch.set_num_threads(o.threads)
    (train, _, test), vocabulary = numbered(tokens_of(o.text), o.vocab)
    model = Model(vocabulary, o)
    print(f"{len(train)} training tokens, {len(test)} test tokens, vocabulary of {vocabulary}; "
          f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    text = columns(train, o.batch)
    steps = (len(text) - 1) // o.seq
    optimizer = torch.optim.SGD(model.parameters(), lr=o.lr)
    start, done = time.time(), 0
    for epoch in range(o.epochs):
        state, total = None, 0.0
        for i in range(steps):
            optimizer.param_groups[0]["lr"] = o.lr * (1 - done / (o.epochs * steps))
            ids = text[i * o.seq:(i + 1) * o.seq]
            labels = text[i * o.seq + 1:(i + 1) * o.seq + 1]
            optimizer.zero_grad()
            logits, state = model(ids, state)
            loss = F.cross_entropy(logits, labels.flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), o.clip)
            optimizer.step()
            total += loss.item()
            done += 1
        print(f"epoch {epoch + 1} train loss {total / steps:.4f} perplexity "
              f"{perplexity(model, test, o):.2f} ({time.time() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
