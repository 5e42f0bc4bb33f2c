"""Records of finished runs as the reports read them."""
