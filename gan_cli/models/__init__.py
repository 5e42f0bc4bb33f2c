"""Networks that know no loss."""
