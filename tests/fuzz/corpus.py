"""Inputs that once ended in a traceback, a crash or a long wait, and their like; whatever is found joins them."""

from __future__ import annotations

BILLION = "a: &a [1,1,1,1,1,1,1,1]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 8)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
DEEP = 100_000

YAML = [
    BILLION,
    "a: &a [*a]\n",
    "[" * DEEP,
    "{a: " * DEEP,
    "- " * DEEP,
    "? [a, b]\n: 1\n",
    "? {a: b}\n: 1\n",
    "name: 2001-99-99\n",
    "name: !!python/object/apply:os.system [ls]\n",
    "name: !!binary x\n",
    "hidden_size: " + "9" * 5000 + "\n",
    "hidden_size: 1e400\nlayers: .nan\n",
    "hidden_size: 0x" + "f" * 5000 + "\n",
    "name: '\\",
    "\x00",
    "%YAML 9.9\n---\na: b\n",
    "a: b\n---\nc: d\n",
    "<<: 3\n",
    "<<: [1, 2]\n",
    "extends: " + "x" * 5000 + "\n",
    "extends: /etc/passwd\n",
    "extends: ~nosuchuser/x\n",
    "extends: [llama-7b]\n",
    "extends: llama-7b\nhidden_size: 1000000000000\n",
    "extends: llama-7b\nlayers: 18446744073709551617\n",
    "extends: llama-7b\nattention: {heads: 16777216, key_value_heads: 1, head_size: 16777216}\n",
    "extends: llama-7b\nrun: {tokens: 16777216, batch: 16777216}\n",
    "extends: llama-7b\nrun: {scope: all, tokens: 16777216}\nattention: {page_tokens: 1}\n",
    "extends: llama-7b\nrun: {tokens: 16777216}\n",
    "extends: llama-7b\nrun: {phase: mixed, chunk: 1, tokens: 16777216}\n",
    "extends: llama-7b\nrun: {phase: decode, scope: all, context: 16777216, steps: 16777216}\n",
    "extends: mixtral-8x7b\nexperts: {count: 16777216, per_token: 16777216}\n",
]
JSON = [
    "[" * DEEP,
    '{"a":' * DEEP,
    '{"model_type": ' + "9" * 5000 + "}",
    '{"hidden_size": 1e999, "model_type": "llama"}',
    '{"model_type": "llama", "model_type": "opt"}',
    '{"model_type": NaN}',
    '{"model_type": "' + "x" * 200_000 + '"}',
    '"' + "\\" * 99_999,
    '{"model_type": "\ud800"}',
    '{"model_type": {"a": 1}}',
    '{"model_type": "llama", "hidden_size": 1000000000000}',
    '{"model_type": "llama", "quantization_config": 3}',
    "null",
    "",
]
CSV = [
    "a," + "1" * 200_000 + ",2,3\n",
    "x" * 200_000 + ",1,2,3\n",
    'a,1,"2\x00,3\n',
    "a,1000000000000,2,3\n",
    "a," + "9" * 5000 + ",2,3\n",
    "a,\u0661,2,3\n",
    "a,1,2,3,4,5,6,7,8\n",
    "name,M,N,K\n" * 3,
    '"a\n,1,2,3',
    "\ufeffname,M,N,K\na,1,2,3\r\rb,1,2\n",
    "Layer,M,N\n",
    "Layer name, IFMAP Height, IFMAP Width\n1,2,3\n",
]
NAMES = [
    "~nosuchuser/x",
    "x" * 5000,
    "x" * 5000 + ".yaml",
    "a\x00b",
    "a\x00b.yaml",
    "/",
    ".",
    "",
    "/dev/null",
    "/etc/passwd",
]
SETS = [
    *(
        "x=2001-99-99",
        "x=[[[",
        "x=" + "[" * DEEP,
        "x={a: &a [*a]}",
        "=3",
        "x",
        "x.=3",
        ".x=3",
        "x=\x00",
        "x=!!binary x",
    ),
    *(f"{'a.' * 5000}b=1", f"{'x' * 5000}=1", f"hidden_size={'9' * 5000}", "hidden_size=1000000000000", "run=[1]"),
    *(
        "layers=~",
        "layers=1e3",
        "attention=3",
        "attention.heads=.inf",
        "name=[]",
        "precision={1: 2}",
        "precision={fp16: 3}",
    ),
]
