"""The tokenizer in a GGUF file: byte-level BPE, its text cut up first by the regular expressions that `pre` names.

The file names them only; they are llama.cpp's (src/llama-vocab.cpp), as the models' own tokenizers have them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.errors import InputError
from sim.trace.gguf_file import GgufFile

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{%s}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = {
    "gpt-2": (_GPT2,),
    "smollm": (r"\p{N}", _GPT2),
    "qwen2": (_GPT4 % "1",),
    "llama-bpe": (_GPT4 % "1,3",),
}
CONTROL, USER_DEFINED = 3, 4
"""Types of tokens that text is not merged into."""


def tokenizer_of(file: GgufFile) -> PreTrainedTokenizerFast:
    """The tokenizer of a file.

    Raises
    ------
    InputError
        For another model of tokens, or expressions that are not known.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    file.text("tokenizer.ggml.model", ("gpt2",))
    splits = SPLITS[file.text("tokenizer.ggml.pre", tuple(SPLITS))]
    tokens, merges, types = (_list(file, key) for key in ("tokens", "merges", "token_type"))
    vocabulary = {str(token): number for number, token in enumerate(tokens)}
    pairs = [tuple(str(merge).split(" ")) for merge in merges]
    try:
        bpe = Tokenizer(models.BPE(vocab=vocabulary, merges=[(pair[0], pair[1]) for pair in pairs]))
    except Exception as error:  # the library has no exception of its own
        problem = f"no byte-level BPE: {error}"
        raise InputError(f"{problem:.200}", place=file.place, field="tokenizer.ggml.merges") from None
    cuts = [pre_tokenizers.Split(Regex(split), "isolated") for split in splits]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([*cuts, level])
    bpe.decoder = decoders.ByteLevel()
    whole = [str(token) for token, kind in zip(tokens, types, strict=False) if kind in (CONTROL, USER_DEFINED)]
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in whole])
    return PreTrainedTokenizerFast(tokenizer_object=bpe)  # type: ignore[no-untyped-call]


def _list(file: GgufFile, key: str) -> list[object]:
    found = file.keys.get(f"tokenizer.ggml.{key}")
    if not isinstance(found, list) or not found:
        raise InputError("missing", place=file.place, field=f"tokenizer.ggml.{key}")
    return found
