"""Settings with which a model is trained in seconds."""

TINY = [
    "model.priors=[{widths:[4],blocks:[1]},{widths:[4],blocks:[1]},{widths:[4,8],blocks:[1,1]}]",
    "model.flow_width=4",
    "model.condition_dim=4",
    "learning.batch=[2,2,4]",
    "learning.steps=4",
    "learning.warmup=2",
    "validation_episodes=3",
    "validate_every=2",
    "save_every=2",
    "log_every=1",
    "device=cpu",
]
