"""Readers of workloads, one file a format: each has `read(path, options) -> Workload`."""
