"""Design-space sweeps: a YAML of axes, constraints and objectives -> points, simulated once each -> the Pareto front.

schema, load  the sweep file            space     number of a point <-> its levels <-> its design
formulas      names in expressions      run       grid, random; search (Optuna) in fixed batches
evaluate      one point                 workers   local processes, or a Ray cluster
stored        sweeps in sim.runs.store  view      the points with derived quantities, constraints and front
"""
