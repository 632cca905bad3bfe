"""What the commands of `prep` do, and their options."""
