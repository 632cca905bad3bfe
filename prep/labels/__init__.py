"""Class ids at a smaller size: votes, priorities, PARIS's rule, instances."""
