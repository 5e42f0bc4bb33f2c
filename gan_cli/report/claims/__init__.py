"""Claims about runs and the rules that decide them."""
