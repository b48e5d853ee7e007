"""The study: the demo, and what is built on the World and on real deployments to measure them."""
