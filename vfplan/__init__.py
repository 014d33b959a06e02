"""vfplan: plan robot motion from pixels with an action-conditioned VideoFlow."""

__version__ = "0.1.0"
