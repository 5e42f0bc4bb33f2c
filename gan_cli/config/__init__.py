"""The schema of every command, and composing a config from the command line."""
