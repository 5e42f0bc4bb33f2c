"""What a game's geometry is: gradients, curvature, rotation, and how much each player could still gain."""
