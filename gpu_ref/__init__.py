"""GPU kernels of the simulated GeMMs: golden models, execution on a CPU, verification and timing on a card."""
