"""Why a result is what it is: what it would gain from more of each resource, and how it differs from another.

again.py        the machine and the workload of a result, to be simulated again
knobs.py        what may be doubled, and what must grow along
gains.py        each knob doubled, simulated, and set beside the result
fits.py         operands that their buffers do not hold
difference.py   cycles between two results, by cause and by module, adding up
show.py         all of it as tables, for the terminal and the page
"""
