"""A machine without our dependencies and without a network: put on PYTHONPATH, it refuses them."""

import socket
import sys

_MISSING = {
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_inspection",
    "simpy",
    "plotly",
    "yaml",
    "typer",
    "rich",
    "numba",
}


class _Refuse:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in _MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}")


def _no_network(*_: object, **__: object) -> None:
    raise OSError("Network is unreachable")


sys.meta_path.insert(0, _Refuse())
socket.socket.connect = _no_network
