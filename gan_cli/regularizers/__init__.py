"""What keeps a player well behaved: penalties on its loss, constraints on its weights, changes to its layers."""
