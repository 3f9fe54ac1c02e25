"""Make the training, validation and test text out of Debian's package bible-kjv (the King James Version, 1611).

    bible -f gen1:1-rev22:21 | python workloads/tiny-llama/make_text.py

A verse a line, an empty line between chapters. Of every twenty chapters one goes to validation.txt, one to test.txt,
the others to train.txt.xz, so that no held-out verse is seen in training. The text is in the public domain.
"""

import lzma
import re
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
VERSE = re.compile(r"(?P<chapter>\d?[A-Za-z]+\d+):\d+ (?P<text>.*)")


def main() -> None:
    chapters: dict[str, list[str]] = {}
    for line in sys.stdin:
        verse = VERSE.fullmatch(line.rstrip("\n"))
        if verse is None:
            sys.exit(f"not a verse: {line!r}")
        chapters.setdefault(verse["chapter"], []).append(verse["text"].strip())
    parts = defaultdict(list)
    for index, verses in enumerate(chapters.values()):
        part = {5: "validation", 15: "test"}.get(index % 20, "train")
        parts[part].append("\n".join(verses) + "\n\n")
    text = {part: "".join(chunks).encode("ascii") for part, chunks in parts.items()}
    (HERE / "validation.txt").write_bytes(text["validation"])
    (HERE / "test.txt").write_bytes(text["test"])
    (HERE / "train.txt.xz").write_bytes(lzma.compress(text["train"], preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
