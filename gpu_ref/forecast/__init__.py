"""Times of our kernels on a card before one has run them: a forecast, for a card to falsify.

silicon     what a card's multiprocessors do a cycle (silicon.yaml, with sources)
code        a kernel's machine code: its loops, its Tensor Core instructions, what an iteration issues
model       seconds from instructions and bytes
table       the forecast beside what others and we measured, and what was published (published.yaml)
"""
