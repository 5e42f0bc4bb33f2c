"""Claims about runs, and how they are judged."""
