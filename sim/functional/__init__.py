"""Executes the schedule of a timing run on tensors, under the numeric contract (sim/formats/contract.py)."""
