"""Records of finished runs, as reports read them."""
