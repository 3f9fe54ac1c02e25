"""GPUs as others measured them: times of GeMMs and attention on four cards, shipped with the product.

measured/   the tables, the cards, the error bars, notice and licence
cards       what a card is: peaks, bandwidth, power, die, each with its source
tables      reading the tables
gemm        the time of a GeMM: measured, or between measured neighbours
attention   the time of an attention, likewise
held_out    how far the rule is off on rows that were held out; `measured/error_bars.yaml` records it
"""
