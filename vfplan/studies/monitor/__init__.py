"""An alarm on surprise, calibrated and tested: what the command `monitor` runs."""
