"""First contact with a card: everything in one command, every kernel family in a process of its own.

steps       what is done, in order of worth
worker      one step on the card, in a process of its own; tells what it finds, line by line
supervisor  starts workers, ends those that hang, goes on after those that die
journal     what was found, whole on disk at every moment; `--resume` reads it
outcome     the journal as a record and as a page of text
bundle      all of it as one archive for a machine without a network

Nothing here needs more than NumPy and CuPy.
"""
