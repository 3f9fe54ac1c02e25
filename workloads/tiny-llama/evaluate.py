"""Bits a byte on test.txt: the shipped model and 5-grams on all of it, number formats on its beginning.

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
CONTEXT, PART = 256, 65536
FORMATS = {
    "fp16": Format(None),
    "figna 13": Format((13, 13, 13, 13)),
    **{f"anda {bits}": Format((bits, bits, bits, bits)) for bits in range(4, 12)},
    **{f"block float {bits}": Format((bits, bits, bits, bits), "nearest") for bits in range(4, 12)},
}


def main() -> None:
    test = (HERE / "test.txt").read_bytes()
    part = test[:PART]
    loaded = load_weights(HERE)

    def bits(text: bytes, format: Format, method: str) -> float:
        return math.log2(Evaluator(loaded, list(text), CONTEXT, CONTEXT, method).perplexity(format))

    train = lzma.decompress((HERE / "train.txt.xz").read_bytes())
    whole = {
        "5-gram, Kneser-Ney": ngram.bits_a_byte(train, test),
        "fp16 weights, fp16 activations": bits(test, Format(None), "fp16"),
    }
    beginning = {"fp16 weights, fp16 activations": bits(part, Format(None), "fp16")}
    method = quantise(loaded).method
    beginning |= {f"int4 weights ({method}), {name}": bits(part, format, method) for name, format in FORMATS.items()}
    report = {
        "text": "test.txt",
        "context": CONTEXT,
        "stride": CONTEXT,
        "bits_a_byte": {f"all {len(test)} bytes": whole, f"first {PART} bytes": beginning},
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
