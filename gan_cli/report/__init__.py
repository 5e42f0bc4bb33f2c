"""HTML reports about finished runs: claims, figures and the records they are made of."""
