"""The Anda paper's evaluation run again: every published number beside its simulated counterpart."""
