"""`python -m airssys` is the `airssys` command."""

from airssys.cli import main

if __name__ == "__main__":
    main(prog_name="airssys")
