"""One folder a network; they never import each other. palletflow.discovery finds them."""
