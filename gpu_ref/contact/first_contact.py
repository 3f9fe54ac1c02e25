"""First contact from an unpacked bundle; needs Python 3.11, NumPy and CuPy, and no network.

python first_contact.py --out DIR --minutes 25
python first_contact.py --out DIR --minutes 25 --resume
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the journal and the record")
    parser.add_argument("--minutes", type=float, default=25, help="how long this sitting may take; 25")
    parser.add_argument("--resume", action="store_true", help="go on with a folder that was cut short")
    parser.add_argument("--only", action="append", default=[], help="a stage; may be repeated")
    chosen = parser.parse_args()
    root = Path(__file__).resolve().parent
    sys.path.insert(0, str(root))
    from gpu_ref.contact.bundle import changed, load_job
    from gpu_ref.contact.run import first_contact
    from sim.errors import InputError

    try:
        different = changed(root)
        if different:
            facts = {"changed or missing": ", ".join(different[:5]), "needed": "the archive, unpacked once more"}
            raise InputError("is not what was packed", field=str(root), facts=facts)
        job = load_job(root)
        done = first_contact(job, chosen.out, chosen.minutes, resume=chosen.resume, stages=chosen.only)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
