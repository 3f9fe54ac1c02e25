"""DRAM as banks beside Ramulator 2.1 and DRAMsim3: the same traffic, mapping and timings through all three.

    python -m benchmarks.dram --ramulator FOLDER --dramsim3 FOLDER

Takes checkouts of both (commits below), builds them outside of this repository, and writes results/benchmarks/dram.json.
"""
