"""The encoder that a job works on: its options, its parameters, its jobs in a plan, and loading it.

Shared by the experiments on ALBERT as an iterated map. `options`, `params`, `plan` and `small` are used while planning
and import no torch. What an experiment does with the encoder does not enter here.
"""
