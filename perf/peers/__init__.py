"""Other ways to do what airssys does, timed in turn with it in one run."""
