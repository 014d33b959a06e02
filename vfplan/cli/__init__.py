"""The command line: configurations, their checks and help, and how a command ends. Nobody else sees Hydra."""
