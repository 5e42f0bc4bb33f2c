"""Data sets for image-to-image translation, paired and unpaired."""
