"""What number formats cost a model: perplexity with converted activations. Needs torch and transformers."""
