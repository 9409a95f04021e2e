"""Training: random streams, optimisers and schedules, dropout, numerics, and the small training loop.

No model, no data and no experiment enters this room. `seeds` imports no torch, since plans draw from it too.
"""
