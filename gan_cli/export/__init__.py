"""Export: networks of a trained run as files for other programs, and the gan-export command."""
