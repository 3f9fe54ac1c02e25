"""What the work is: GeMMs and vector work of a model, by phase, and the readers that make them."""
