"""Sentences for the user, beside what a command prints as its result."""

import typer

__all__ = ["say"]


def say(sentence: str) -> None:
    """Write a sentence to standard error."""
    typer.echo(sentence, err=True)
