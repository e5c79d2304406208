"""Training: the loop, the folder of a training, weights, averages, BatchNorm statistics, optimizers and schedules."""
