"""Data sets in memory, mapped or decoded on the fly, and the stream of batches that training draws from them."""
