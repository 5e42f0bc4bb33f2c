"""Data sets of images: bundled, published, and any folder of images."""
