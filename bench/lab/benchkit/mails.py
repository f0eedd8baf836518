"""Mails to measure with: distinct ones, each with its own signature, or with none."""

import os

from labkit import senders

MAILS = 32


def _sign(keys, text, signed):
    return senders.sign(keys, text, "pass.example") if signed else text


def make(keys, folder, size, signed=True):
    """Files of that size in the folder, signed by pass.example."""
    os.makedirs(folder)
    line = "The quick brown fox jumps over the lazy dog, and back again, as it goes.\n"
    for number in range(MAILS):
        text = senders.message("pass.example", "", number=number)
        signature = len(_sign(keys, text, signed)) - len(text)
        body = (line * (size // len(line) + 1)).replace("\n", "\r\n")
        text += body[:max(size - len(text) - signature - 2, 2)].rstrip("\r\n").encode() + b"\r\n"
        with open(f"{folder}/{number:03}", "wb") as f:
            f.write(_sign(keys, text, signed))
