"""Activities: thin durable steps around one engine function each."""
