"""Settings of every test."""

import torch

# Tests run beside each other and beside other work: threads that wait for one another then cost more than they give.
torch.set_num_threads(1)
