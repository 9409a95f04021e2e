"""What the two experiments on how attention is learned share: runs and checkpoints, scores of each, agreement.

Classification and translation differ in data, model and proxies. From the scores on (`scores.py`) they are alike: an
item is a document, or one predicted position of a sentence, and has a number for each source position. Nothing that
only one of the two needs enters this room. It knows no model.
"""
