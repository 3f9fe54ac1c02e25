"""From a real model to a trace: which modules are GeMMs, INT4 weights, a recorded run. Needs torch and transformers."""
