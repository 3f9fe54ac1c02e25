"""The precision search: mantissa lengths of the modules of a model, the fewest bit operations within a tolerance."""
