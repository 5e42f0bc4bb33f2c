"""How far generated samples lie from real ones: pure functions of samples or features, and the features."""
