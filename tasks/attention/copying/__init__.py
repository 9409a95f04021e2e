"""What the two experiments on copying share: settings, sequences from named streams, outcomes of runs.

Nothing that only one of the two needs enters this room.
"""
