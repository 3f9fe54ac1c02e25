"""Peers: other simulators, each run by its own driver in its own virtual environment; compare.py has it all."""
