"""How fast the simulator is, and how it compares with its peers. Run all of it with `make bench`.

    python -m benchmarks                  everything, some minutes on a quiet machine; writes results/benchmarks
    python -m benchmarks speed jobs       some of the three parts: speed, jobs, peers
    pytest benchmarks --benchmark-enable  the part `speed` alone, in pytest-benchmark's own words

    speed  test_speed.py  GeMMs by size and grain, the schedule search; warm, by pytest-benchmark
    jobs   jobs.py        whole models: simulated and from the shell, against the limits we set ourselves
    peers  peers/         the same GeMMs through SCALE-Sim 3.0.0 and ZigZag 3.9.1 from their packages, each in a virtual
                          environment that is made under build/benchmarks

Parts `jobs` and `peers` start a fresh process for every figure, so every cache of the program is cold. Processor time
(user + system, all processes) stands beside wall time, because machines are shared. "Simulation" is what happens
between the inputs being read and the result standing in memory; "shell" is a command from start to exit.
"""
