"""Starting jobs when objects appear."""
