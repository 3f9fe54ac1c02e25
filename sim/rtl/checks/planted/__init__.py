"""Faults planted one at a time in the RTL and in the simulator's timing; mutations.py sees whether checks notice."""
