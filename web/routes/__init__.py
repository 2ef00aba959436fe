"""One file for each place in the house; the shapes of its requests stand beside the routes."""
