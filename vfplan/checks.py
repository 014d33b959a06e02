"""The one check that nearly every configuration needs."""


def require_at_least(settings: object, **least: float) -> None:
    """Raise ValueError, naming it, for the first of these fields of `settings` that is below its least value."""
    for name, limit in least.items():
        if getattr(settings, name) < limit:
            raise ValueError(f"{name} must be at least {limit}; got {getattr(settings, name)}")
