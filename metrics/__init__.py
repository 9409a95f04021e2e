"""Metrics: pure functions, tensors or arrays in, numbers out.

No I/O, no model, no Ray; nothing from the other rooms is imported here.
"""
