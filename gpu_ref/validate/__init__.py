"""One real trace through every witness of the hardware's arithmetic, side by side.

parts       the GeMMs of a trace that are taken, and how much of each
witnesses   the golden model, the simulator, the CUDA kernel on a card or on the host
rtl         the SystemVerilog under Verilator
speed       what each takes on the machine and on a GPU, with where the number comes from
validate    all of them on all parts
show        terminal, page, JSON
arrivals    when the RTL is served: as in a complete run
command     `validate TRACE`
"""
