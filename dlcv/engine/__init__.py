"""Training: the loop, the folder of a training, weights, averages of weights, optimizers, tables of layers."""
