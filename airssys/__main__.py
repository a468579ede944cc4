"""`python -m airssys` is the `airssys` command."""

from airssys_command import main

if __name__ == "__main__":
    main()
