"""python -m records [NAME ...]      makes the records of these names again, or all of them"""

from __future__ import annotations

import argparse
import sys
import time

from records.all import RECORDS


def main() -> None:
    """Make records, one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECORDS))
    chosen = parser.parse_args().names or list(RECORDS)
    unknown = [name for name in chosen if name not in RECORDS]
    if unknown:
        parser.error(f"no record {', '.join(unknown)}; there are {', '.join(RECORDS)}")
    lacking = {name: told for name in chosen if (told := RECORDS[name].missing())}
    for name in chosen:
        if name in lacking:
            print(f"{name}: not made: {lacking[name]}", flush=True)
            continue
        begin = time.perf_counter()
        RECORDS[name].make()
        print(f"{name}: {time.perf_counter() - begin:.0f} s", flush=True)
    sys.exit(1 if lacking else 0)


if __name__ == "__main__":
    main()
