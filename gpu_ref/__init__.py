"""GPU kernels of the GeMMs that the simulator runs: golden models, execution on a CPU, verification and timing on a card."""
