"""DRAM as banks beside Ramulator 2.1 and DRAMsim3: the same traffic, mapping and timings through all three.

    python -m benchmarks.dram --ramulator FOLDER --dramsim3 FOLDER

Takes checkouts of both, builds them into build/dram, and writes results/benchmarks/dram.json and a table of
docs/dram.md. yaml-cpp 0.9.0 and fmt 10.2.1 stand in ext of Ramulator's, where its own build would fetch them.
"""
