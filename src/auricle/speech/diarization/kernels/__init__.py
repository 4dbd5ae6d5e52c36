"""The two networks in int8, for processors that have the instructions."""
