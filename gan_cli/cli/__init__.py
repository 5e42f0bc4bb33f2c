"""The commands: entry points, the Hydra application, sweeps, help and completion."""
