"""Feature extractors, in whose space samples are compared."""
