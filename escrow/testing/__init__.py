"""What others need to test an adapter or a party of their own. Public; needs pytest and Hypothesis."""
