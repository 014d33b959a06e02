"""The world: MuJoCo pushing environments. numpy, gymnasium and mujoco only."""
