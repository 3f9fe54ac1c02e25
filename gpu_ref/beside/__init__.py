"""Simulated machines beside a GPU, on the same work, in a way that survives a reviewer.

simulated   the one place that reads results: machines, and their work as places in the model
work        such a place: GeMMs of one input, an attention, or what no GPU table holds
cost        seconds, bytes and joules of a place; they add up
card        a card of the measured tables (gpu_ref.reference) as a platform
recorded    a card of our own measurements (gpu_ref.record) as a platform
standing    phases, what is covered, ratios within a chip and across, under every normalisation
scale       --scale: how many of a machine stand beside one card
comparison  all of it: `request(gpu, scale).answer(results, labels)`
notes       what a reader must know beside the numbers
terminal, page, files    how it is shown
"""
