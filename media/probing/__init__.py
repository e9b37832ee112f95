"""What a source is: facts for people and plans, and the index of its packets."""
