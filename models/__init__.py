"""Models: nn.Modules, their loading, saving and initialisation schemes.

What is here knows no experiment, no Ray and no file format but checkpoints. It imports nothing from the other rooms.
"""
