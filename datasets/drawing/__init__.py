"""Pictures of columns for people: each kind is drawn in one way, colours have one meaning, no value is a pattern."""
