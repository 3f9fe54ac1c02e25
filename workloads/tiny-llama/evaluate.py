"""Bits a byte on test.txt: the shipped model with FP16 weights, with INT4 weights under several formats, and 5-grams.

python workloads/tiny-llama/evaluate.py > results/tiny_llama.json
"""

import json
import lzma
import math
from pathlib import Path

import ngram

from sim.accuracy.perplexity import Evaluator, Format
from sim.trace.load import load_weights
from sim.trace.weights import quantise

HERE = Path(__file__).parent
CONTEXT = 256
FORMATS = {
    "fp16": Format(None),
    "figna 13": Format((13, 13, 13, 13)),
    **{f"anda {bits}": Format((bits, bits, bits, bits)) for bits in range(4, 12)},
    **{f"block float {bits}": Format((bits, bits, bits, bits), "nearest") for bits in range(4, 12)},
}


def main() -> None:
    test = (HERE / "test.txt").read_bytes()
    loaded = load_weights(HERE)

    def bits(format: Format, method: str) -> float:
        return math.log2(Evaluator(loaded, list(test), CONTEXT, CONTEXT, method).perplexity(format))

    plain = bits(Format(None), "fp16")
    method = quantise(loaded).method
    report = {
        "text": "test.txt",
        "bytes": len(test),
        "context": CONTEXT,
        "stride": CONTEXT,
        "bits_a_byte": {
            "5-gram, Kneser-Ney": ngram.bits_a_byte(lzma.decompress((HERE / "train.txt.xz").read_bytes()), test),
            "fp16 weights, fp16 activations": plain,
            **{f"int4 weights ({method}), {name}": bits(format, method) for name, format in FORMATS.items()},
        },
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
