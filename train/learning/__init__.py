"""The training loop and all that it calls: steps, losses, optimizers, schedules, saving."""
