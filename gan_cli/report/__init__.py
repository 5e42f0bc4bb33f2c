"""Pages and figures from what runs left behind, and the claims that are judged by it."""
