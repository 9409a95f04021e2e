"""What the three experiments on one BERT of any depth share: which network, its weights, its pretraining."""
