"""Makes what results/ records, and the parts of the README and the documentation that come from it."""
