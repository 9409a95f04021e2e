"""What the two experiments on copying share: options, sequences from named streams, training, outcomes of runs.

Nothing that only one of the two needs enters this room.
"""
