"""What the discriminator sees instead of the samples themselves."""
