"""Data sets for translation from one domain of images to another, paired and unpaired."""
