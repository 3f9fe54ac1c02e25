"""Token identifiers of a text file, by the tokenizer in a model's folder or GGUF file."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from sim.errors import InputError, Place


def tokens_of(folder: Path | None, text: Path) -> list[int]:
    """All tokens of a text file, no special ones added.

    Raises
    ------
    InputError
        For text that cannot be read, or a folder without a tokenizer.
    """
    try:
        content = text.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", place=Place(str(text))) from None
    except UnicodeDecodeError:
        raise InputError("not a text file in UTF-8", place=Place(str(text))) from None
    if folder is not None and folder.suffix == ".gguf":
        from sim.trace.gguf_file import GgufFile
        from sim.trace.gguf_tokens import tokenizer_of

        own = tokenizer_of(GgufFile(folder))
        return list(own(content, add_special_tokens=False, verbose=False)["input_ids"])
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"no tokenizer in it: {str(error).splitlines()[0]}", place=Place(str(folder))) from None
    identifiers: list[int] = tokenizer(content, add_special_tokens=False, verbose=False)["input_ids"]
    return identifiers


def prompts_of(folder: Path | None, text: Path, tokens: int, batch: int) -> list[list[int]]:
    """The first `batch` stretches of `tokens` tokens of a text.

    Raises
    ------
    InputError
        Where the text is shorter, and like `tokens_of`.
    """
    identifiers = tokens_of(folder, text)
    if len(identifiers) < tokens * batch:
        facts = {"needed": f"{tokens * batch} tokens = {batch} x {tokens}", "available": f"{len(identifiers)} tokens"}
        raise InputError("too short", place=Place(str(text)), facts=facts)
    return [identifiers[first * tokens : (first + 1) * tokens] for first in range(batch)]
