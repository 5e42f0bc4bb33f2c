"""What the players minimise: one file, one equation pair each."""
