"""What the two experiments on proteins share: options, parameters, plan, encoders of a pair, batches."""
