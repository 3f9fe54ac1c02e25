"""Laws that every run is held to, computed from the plan alone: bounds, expected counters, conservation."""
