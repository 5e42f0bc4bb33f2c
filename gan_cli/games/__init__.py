"""Games own their players and return losses."""
