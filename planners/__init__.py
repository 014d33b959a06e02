"""Search over action sequences. torch only: no world, no model."""
