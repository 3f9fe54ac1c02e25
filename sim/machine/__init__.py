"""A machine put together from its units, and what it makes of a piece of work."""
