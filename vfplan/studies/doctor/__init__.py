"""What `vfplan.doctor` looks at."""
