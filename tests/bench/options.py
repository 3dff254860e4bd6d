#!/usr/bin/python3
"""bench.py's options; run by itself it only checks them (before anything is built)."""
import argparse

LEAST, MOST = 2, 10000


def pods(text):
    if not text.isascii() or not text.isdigit() or not LEAST <= int(text) <= MOST:
        raise argparse.ArgumentTypeError("%r is not a number of pods from %d to %d" % (text, LEAST, MOST))
    return int(text)


def parse():
    parser = argparse.ArgumentParser(prog="make bench", usage="make bench [PODS=n]", allow_abbrev=False,
                                     description="Measure attach, floor, memory and sizes on a private node.")
    parser.add_argument("--pods", type=pods, default=100, help="PODS: how many, one after the other")
    return parser.parse_args()


if __name__ == "__main__":
    parse()
