"""Settings of every test."""

import torch

# Tests run side by side (pytest -n) and beside other work; threads that wait for each other then cost more than they give.
torch.set_num_threads(1)
